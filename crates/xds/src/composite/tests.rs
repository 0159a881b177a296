use super::*;

/// A few fields of a fake host: field 2, "x".
const FIELDS: &[u8] = &[0x12, 1, b'x'];

fn headers() -> Headers {
    Headers {
        whole: Bytes::from_static(&[0x0a, 1, b't']),
        split: Bytes::from_static(&[0x0a, 1, b't', 0x4a, 0]),
        part_field: 2,
    }
}

fn table(hosts: &[&str]) -> Composite {
    let parts = hosts.iter().map(|host| Composite::part("t", host, FIELDS, [])).collect();
    Composite::new("t", headers(), parts, [])
}

#[test]
fn a_part_carries_the_name_of_its_resource() {
    let part = Composite::part("0.0.0.0/80", "a", FIELDS, []);
    assert_eq!(&*part.name, "0.0.0.0/80/a");
    assert_eq!(part.body, Bytes::from_static(b"\x0a\x0c0.0.0.0/80/a\x12\x01x"));
}

#[test]
fn assembled_in_order_of_names_with_short_ones() {
    let table = table(&["b", "a"]);
    assert_eq!(
        table.assembled().body,
        Bytes::from_static(b"\x0a\x01t\x12\x06\x0a\x01a\x12\x01x\x12\x06\x0a\x01b\x12\x01x")
    );
    assert!(Arc::ptr_eq(table.assembled(), table.assembled()), "encoded once");
    assert_eq!(table.split().body, headers().split);
}

#[test]
fn long_names_and_bodies_have_long_lengths() {
    let host = "h".repeat(200);
    let fields = [FIELDS, &[0x12, 0x7f], &[b'y'; 0x7f]].concat();
    let part = Composite::part("t", &host, &fields, []);
    assert_eq!(part.body[..3], [0x0a, 0xca, 1]);
    let table = Composite::new("t", headers(), std::iter::once(part).collect(), []);
    let body = &table.assembled().body;
    let length = 1 + 2 + 200 + fields.len();
    assert_eq!(body[3..6], [0x12, (length & 0x7f | 0x80) as u8, (length >> 7) as u8]);
    assert_eq!(body.len(), 6 + length);
}

#[test]
fn versions_tell_content_and_form() {
    let one = table(&["a"]);
    assert_eq!(one.version(), table(&["a"]).version());
    assert_ne!(one.version(), table(&["a", "b"]).version());
    assert_ne!(one.form_version(false), table(&["a", "b"]).form_version(false));
    assert_eq!(one.form_version(true), table(&["a", "b"]).form_version(true), "the header is the same");
    assert!(one.form_version(true).is_split());
    assert!(!one.form_version(false).is_split());
    assert_eq!(one.form_version(false), one.assembled().version);
    let mut other = headers();
    other.split = Bytes::from_static(b"other");
    let other = Composite::new("t", other, one.parts().clone(), []);
    assert_ne!(one.version(), other.version());
}
