//! The image of the proxy.

use super::problem::Findings;

/// Chooses the image: what the pod names, in the variant it asks for.
pub(super) fn proxy_image(
    mesh: &str,
    own: Option<&str>,
    image_type: Option<(&str, String)>,
    out: &mut Findings,
) -> String {
    // A name without a slash is an image beside that of the mesh.
    let image = match own {
        Some(own) if own.contains('/') => return own.to_owned(),
        Some(own) => {
            let (repository, tag) = split(mesh);
            let hub = repository.rsplit_once('/').map_or(String::new(), |(hub, _)| format!("{hub}/"));
            let tag = if own.contains(':') {
                String::new()
            } else {
                tag.map_or(String::new(), |tag| format!(":{tag}"))
            };
            format!("{hub}{own}{tag}")
        }
        None => mesh.to_owned(),
    };
    let Some((image_type, at)) = image_type else { return image };
    if image_type.is_empty() || image_type == "default" {
        return image;
    }
    match (image_type, split(&image)) {
        ("distroless" | "debug", (repository, Some(tag))) if !tag.starts_with("sha256:") => {
            let plain =
                ["distroless-", "debug-"].iter().find_map(|word| tag.strip_prefix(word)).unwrap_or(tag);
            format!("{repository}:{image_type}-{plain}")
        }
        ("distroless" | "debug", _) => {
            out.warn(format!("{at} has no effect on the image {image}, which has no tag to change"));
            image
        }
        _ => {
            out.problem(at, image_type, "must be default, debug or distroless");
            image
        }
    }
}

/// The repository of an image and its tag, or its digest in the place of one.
fn split(image: &str) -> (&str, Option<&str>) {
    if let Some((repository, digest)) = image.split_once('@') {
        return (repository, Some(digest));
    }
    match image.rsplit_once(':') {
        // The colon of a port stands before a slash.
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_their_variants() {
        let mesh = "hub.test:5000/mesh/envoy:v1.40.0";
        let table = [
            (None, None, "hub.test:5000/mesh/envoy:v1.40.0"),
            (None, Some("default"), "hub.test:5000/mesh/envoy:v1.40.0"),
            (None, Some("distroless"), "hub.test:5000/mesh/envoy:distroless-v1.40.0"),
            (None, Some("debug"), "hub.test:5000/mesh/envoy:debug-v1.40.0"),
            (Some("own/envoy:1"), Some("distroless"), "own/envoy:1"),
            (Some("proxy"), None, "hub.test:5000/mesh/proxy:v1.40.0"),
            (Some("proxy:2"), Some("debug"), "hub.test:5000/mesh/proxy:debug-2"),
        ];
        for (own, image_type, expected) in table {
            let mut out = Findings::default();
            let image_type = image_type.map(|word| (word, "there".to_owned()));
            assert_eq!(proxy_image(mesh, own, image_type, &mut out), expected, "{own:?}");
            assert!(out.problems.is_empty() && out.warnings.is_empty());
        }
        let mut out = Findings::default();
        proxy_image("envoy@sha256:00", None, Some(("distroless", "there".to_owned())), &mut out);
        proxy_image("envoy", None, Some(("wrong", "there".to_owned())), &mut out);
        assert_eq!((out.problems.len(), out.warnings.len()), (1, 1));
    }
}
