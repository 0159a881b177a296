//! The status, which every kind has alike. Other programs write members of their own, so unknown ones are kept.

use super::value::{Schema, instant, int_or_text, list, object, text, word};

pub(super) fn schema() -> Schema {
    let condition = object(
        "A fact about the object.",
        [
            ("type", text("Which fact.")),
            ("status", text("Whether it holds: True, False or Unknown.")),
            ("reason", text("Why, in one word for programs.")),
            ("message", text("Why, for people.")),
            ("lastProbeTime", instant("When this was last looked at.")),
            ("lastTransitionTime", instant("When the status last changed.")),
            ("observedGeneration", int_or_text("The generation of the object that this is about.")),
        ],
    );
    let kind = object(
        "What kind of finding it is.",
        [("name", text("Its name.")), ("code", text("Its code, such as PH0102 or IST0106."))],
    );
    let message = object(
        "A finding.",
        [
            ("type", kind),
            ("level", word("How bad it is.", ["UNKNOWN", "ERROR", "WARNING", "INFO"])),
            ("documentationUrl", text("Where the code is explained.")),
        ],
    );
    object(
        "What became of the object. Written by control planes.",
        [
            ("conditions", list("What is known of the object.", condition)),
            ("validationMessages", list("What there is to say about its content.", message)),
            ("observedGeneration", int_or_text("The generation of the object that the messages are about.")),
        ],
    )
    .open()
}
