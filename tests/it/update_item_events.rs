//! The updates that mdmclient lists and asks for: each pattern on the line it was written for.

use crate::support;
use mdm_health::event::update::{ItemField, UpdateMessage};

use crate::support::update_lines::{mdmclient, said_by};

fn field(message: &str) -> ItemField {
    match mdmclient(message) {
        Some(UpdateMessage::ItemField(field)) => field,
        other => panic!("{message}: {other:?}"),
    }
}

#[test]
fn an_items_fields_are_read_padded_collapsed_and_wrapped() {
    for (padded, collapsed) in [
        (
            "Product Key:               MSU_UPDATE_22G74_patch_13.5_minor",
            "Product Key:\nMSU_UPDATE_22G74_patch_13.5_minor",
        ),
        ("Title:                     macOS Ventura 13.5", "Title:                macOS\nVentura 13.5"),
        (
            "Version:                   13.5 <Build: 22G74> <PMV: 13.5>",
            "Version:              13.5 <Build:\n22G74> <PMV: 13.5>",
        ),
        (
            "MSU:                       YES  (Major: no  Full: no  DL: no  label: x)",
            "MSU: YES (Major:\nno Full: no DL: no label: x)",
        ),
        ("Splat:                     no  <(null)> (Revoked: no)", "Splat:              no <(null)>\n(Revoked: no)"),
        ("Deferred:                  no  (Date: )", "Deferred:            no (Date: )"),
        ("Allows InstalLater:        YES", "Allows InstallLater: YES"),
    ] {
        assert_eq!(field(padded), field(collapsed), "{padded}");
    }
}

#[test]
fn an_items_fields_give_their_values() {
    let text = |text: &str| Some(text.into());
    assert_eq!(field("Product Key: 032-69593"), ItemField::ProductKey("032-69593".into()));
    assert_eq!(
        field("Version: 13.3.1 (a) <Build: 22E772610a> <PMV: 13.3.1>"),
        ItemField::Version { version: text("13.3.1 (a)"), build: text("22E772610a") }
    );
    assert_eq!(
        field("Version: 2171 <Build: (null)> <PMV: (null)>"),
        ItemField::Version { version: text("2171"), build: None }
    );
    assert_eq!(
        field("Deferred: YES  (Date: 2023-08-31 05:00:00 +0000)"),
        ItemField::Deferred { deferred: true, until: text("2023-08-31 05:00:00 +0000") }
    );
    assert_eq!(field("MSU: YES (Major: YES Full: no DL: no label: x)"), ItemField::Major(Some(true)));
    assert_eq!(field("MSU: no (Major: no Full: no DL: no label: (null))"), ItemField::Major(None));
    assert_eq!(field("Post install: <Eventual Restart>"), ItemField::RestartRequired(true));
    assert_eq!(field("Download size: 1556959678"), ItemField::DownloadSize(1_556_959_678));
}

#[test]
fn unused_or_malformed_fields_are_no_events() {
    for message in [
        "Tags: (null)",
        "Long desc: Title: a",
        "Critical: perhaps",
        "Post install: <Shutdown>",
        "  Major Version: 14.0",
        "Download size: big",
    ] {
        assert_eq!(mdmclient(message), None, "{message}");
    }
}

#[test]
fn an_item_begins_and_ends_with_a_separator_line() {
    assert_eq!(mdmclient("=== OS Update Item ==="), Some(UpdateMessage::ItemBegan));
    assert_eq!(mdmclient("======================"), Some(UpdateMessage::ItemEnded));
    assert_eq!(mdmclient("=====\n```\n\nScheduleOSUpdate (logs)"), Some(UpdateMessage::ItemEnded));
}

#[test]
fn a_field_counts_only_in_the_category_of_os_updates() {
    let message = "[0:MDMDaemon:HTTPUtil:<0x6c0d>] Product Key: MSU_UPDATE_22G74_patch_13.5_minor";
    assert_eq!(said_by(support::MDMCLIENT, message), None);
}

#[test]
fn a_request_names_its_keys_and_its_action() {
    let keys = "(\n    \"MSU_UPDATE_22G74_patch_13.5_minor\",\n    \"032-69593\"\n)";
    assert_eq!(
        mdmclient(&format!("Requesting installUpdates: {keys}  InstallAction: InstallLater options: {{\n}}")),
        Some(UpdateMessage::InstallRequested {
            product_keys: vec!["032-69593".into(), "MSU_UPDATE_22G74_patch_13.5_minor".into()],
            action: "InstallLater".into()
        })
    );
    assert_eq!(
        mdmclient("Requesting installUpdates (PMV): 13.5  InstallAction: Default options: (null)"),
        Some(UpdateMessage::InstallRequested { product_keys: vec![], action: "Default".into() })
    );
    assert_eq!(
        mdmclient(
            "Unable to queue update: (Product: MSU_UPDATE_22G74_patch_13.5_minor  PMV: (null)) ==> Error Domain=X Code=1 \"no\""
        ),
        Some(UpdateMessage::NotQueued {
            product_key: Some("MSU_UPDATE_22G74_patch_13.5_minor".into()),
            version: None,
            error: "Error Domain=X Code=1 \"no\"".into()
        })
    );
}
