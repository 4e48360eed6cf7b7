//! Twelve Macs as they are every day, live, and what the policies say of each: none of them pages anybody.
use crate::support::fake_mac::FakeMac;
use crate::support::keychain::Keychain;
use crate::support::{self, MDMCLIENT, record, tables, time};
use chrono::TimeDelta;
use mdm_health::cli::packs::{Kind, QUERIES};
use mdm_health::cli::shell::{self, Format};
use mdm_health::collect;
use mdm_health::health::Findings;
use mdm_health::host::Live;
use mdm_health::log::ReadOptions;
use std::sync::Arc;

const NOW: &str = "2026-11-23T18:00:00Z";
const SOFTWAREUPDATED: &str = "/System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
const POWERD: &str = "/System/Library/CoreServices/powerd.bundle/powerd";
const ONLINE: &str = "Network information\n\nIPv4 network interface information\n   en0 : flags : 0x5 (IPv4,DNS)\n\
    \x20        address : 192.0.2.7\n   REACH : flags 0x00000002 (Reachable)\n\nNetwork interfaces: en0\n";
const OFFLINE: &str = "Network information\n\nIPv4 network interface information\n   No IPv4 states found\n\n\
    IPv6 network interface information\n   No IPv6 states found\n";

/// A live Mac at 18:00 that is well but for what a test says of it.
struct Day {
    mac: FakeMac,
    log: String,
}

impl Day {
    /// Booted and woken so many minutes ago; a wake of 0 means that it never slept.
    fn new(booted: i64, woke: i64) -> Self {
        let keychain = Keychain::at(NOW).identity("Mac 42", "Example CA", -65..300);
        let ago = |minutes: i64| (time(NOW) - TimeDelta::minutes(minutes)).timestamp();
        let woke = if woke == 0 { 0 } else { ago(woke) };
        let times = format!("{{ sec = {}, usec = 0 }} then\n{{ sec = {woke}, usec = 0 }} then\n", ago(booted));
        let mac = FakeMac::new();
        mac.answers("/usr/bin/profiles", "status", support::ENROLLED)
            .answers("/usr/bin/profiles", "-C", &profiles("com.apple.security.scep", ""))
            .command("/usr/libexec/mdmclient", "Management status: {\n    ManagedViaMDM = 1;\n}\n")
            .answers("/usr/bin/security", "find-identity", &keychain.identities())
            .answers("/usr/bin/security", "find-certificate", keychain.certificates())
            .command("/usr/sbin/sysctl", &times)
            .answers("/usr/sbin/scutil", "--nwi", ONLINE)
            .platform()
            .file("/private/var/log/install.log", "2026-11-23 10:00:00+00 mac softwareupdated[301]: SUScan: done\n")
            .file("/Library/Preferences/com.apple.SoftwareUpdate.plist", "<plist version=\"1.0\"><dict/></plist>")
            .file(
                "/System/Library/CoreServices/SystemVersion.plist",
                "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>26.1</string>\
                 <key>ProductBuildVersion</key><string>25B78</string></dict></plist>",
            );
        Self { mac, log: String::new() }
    }

    /// So many minutes ago that program wrote that.
    fn says(mut self, minutes: i64, image: &str, message: &str) -> Self {
        let at = (time(NOW) - TimeDelta::minutes(minutes)).format("%F %T%.6f+0000").to_string();
        self.log += &(record(image, &at, 300, 0x6c0d, message) + "\n");
        self
    }

    fn contact(self, minutes: i64) -> Self {
        self.says(minutes, MDMCLIENT, ">>>>> Sending HTTP request (PUT) [Idle] >>>>>").says(
            minutes,
            MDMCLIENT,
            "<<<<< Received HTTP response (200) [Idle] <<<<<",
        )
    }

    fn command(self, minutes: i64, request_type: &str) -> Self {
        self.says(
            minutes,
            MDMCLIENT,
            &format!("Processing server request: {request_type} for: <Device> (T-1) PowerNap: no"),
        )
    }

    fn answers(self, minutes: i64, request_type: &str) -> Self {
        self.says(
            minutes,
            MDMCLIENT,
            &format!(">>>>> Sending HTTP request (PUT) [Acknowledged({request_type}):T-1] >>>>>"),
        )
        .says(
            minutes,
            MDMCLIENT,
            &format!("<<<<< Received HTTP response (200) [Acknowledged({request_type}):T-1] <<<<<"),
        )
    }

    /// The verdict, and the policies that fail.
    fn verdict(&self) -> (String, Vec<&'static str>) {
        self.mac.log(&self.log);
        let host = Live::new(self.mac.root().to_owned(), Some(time(NOW)));
        let evidence = collect::evidence(&host, &ReadOptions::default(), &self.mac.path("/state"));
        let findings = Arc::new(Findings::new(evidence));
        let row = support::rows(&findings, "mdm_watchdog").remove(0);
        let failing = QUERIES.iter().filter(|query| matches!(query.kind, Kind::Policy { .. })).filter(|query| {
            let findings = findings.clone();
            let passes = shell::query(&query.turned(), Format::Json, tables(), move || findings.clone()).unwrap();
            passes.trim() == "[\n]"
        });
        (format!("{} {}", row.shown("state"), row.shown("reason")), failing.map(|query| query.name).collect())
    }
}

/// The list of profiles of an enrolled Mac whose identity comes from that payload.
fn profiles(payload: &str, content: &str) -> String {
    format!(
        "<plist version=\"1.0\"><dict><key>_computerlevel</key><array><dict><key>ProfileIdentifier</key>\
         <string>com.example.mdm</string><key>ProfileItems</key><array><dict><key>PayloadType</key>\
         <string>com.apple.mdm</string><key>PayloadContent</key><dict><key>ServerURL</key>\
         <string>https://mdm.example.com/mdm</string><key>IdentityCertificateUUID</key><string>I-1</string></dict></dict>\
         <dict><key>PayloadType</key><string>{payload}</string><key>PayloadUUID</key><string>I-1</string>\
         <key>PayloadContent</key><dict>{content}</dict></dict></array></dict></array></dict></plist>"
    )
}

macro_rules! days {
    ($($test:ident: $verdict:literal, $day:expr,)*) => {
        $(
            #[test]
            fn $test() {
                assert_eq!($day.verdict(), ($verdict.to_owned(), Vec::new()));
            }
        )*
    };
}

/// Minutes of a week.
const WEEK: i64 = 7 * 1_440;

days! {
    a_desktop_with_contact_ten_minutes_ago: "ok recent_success", Day::new(WEEK, 0).contact(10),
    a_desktop_that_is_quiet_for_five_hours: "quiet no_contact", Day::new(WEEK, 0).contact(300),
    a_laptop_opened_five_minutes_ago_after_a_night: "unknown recently_awake", Day::new(WEEK, 5).contact(840),
    a_laptop_opened_an_hour_ago_after_a_night: "unknown recently_awake", Day::new(WEEK, 60).contact(840),
    a_laptop_opened_with_a_command_from_just_before_it_was_closed:
        "unknown recently_awake", Day::new(WEEK, 5).contact(841).command(840, "ProfileList"),
    the_same_with_contact_a_minute_ago:
        "ok recent_success", Day::new(WEEK, 5).contact(841).command(840, "ProfileList").contact(1),
    a_mac_booted_three_minutes_ago: "unknown recently_awake", Day::new(3, 0).contact(840),
    a_mac_booted_twenty_minutes_ago: "unknown recently_awake", Day::new(20, 0).contact(840),
    an_identity_that_is_bound_to_the_hardware: "ok recent_success", {
        let day = Day::new(WEEK, 0).contact(10);
        day.mac.answers("/usr/bin/profiles", "-C", &profiles("com.apple.security.acme", "<key>HardwareBound</key><true/>"));
        day.mac.answers("/usr/bin/security", "find-identity", "\nPolicy: X.509 Basic\n  Matching identities\n     0 identities found\n\n  Valid identities only\n     0 valid identities found\n");
        day.mac.answers("/usr/bin/security", "find-certificate", "");
        day
    },
    a_dark_wake_three_minutes_ago:
        "unknown recently_awake",
        Day::new(WEEK, 3).contact(840).says(3, POWERD, "DarkWake from Deep Idle [CDNP] : due to NUB.SPMI0.SW3"),
    off_the_network_for_two_hours: "unknown offline", {
        let day = Day::new(WEEK, 0).contact(125);
        day.mac.answers("/usr/sbin/scutil", "--nwi", OFFLINE);
        day
    },
    // mdmclient answers ScheduleOSUpdate before the work begins. Then it is silent, and nothing hangs: the silence of a long
    // installation is like any other.
    an_installation_that_takes_a_hundred_minutes: "quiet no_contact", {
        let mut day = Day::new(WEEK, 0).command(101, "ScheduleOSUpdate").answers(101, "ScheduleOSUpdate");
        for minutes in (1..=100).rev().step_by(3) {
            let portion = 650_000 + (100 - minutes) * 3_000;
            day = day.says(
                minutes,
                SOFTWAREUPDATED,
                &format!(
                    "[SUMacControllerProgressManager] Reported progress (inter): phase:PREPARING_UPDATE stalled:NO \
                     portionComplete:0.{portion} estimatedTimeRemaining:-1.000000"
                ),
            );
        }
        day
    },
}

/// A ScheduleOSUpdate that is never answered is another matter: mdmclient hangs, and heal waits until nothing is installed.
#[test]
fn an_installation_whose_command_was_never_answered_is_hung() {
    let day = Day::new(WEEK, 0).contact(102).command(101, "ScheduleOSUpdate");
    assert_eq!(day.verdict(), ("stuck command_hung".to_owned(), vec!["mdm-client-stuck", "mdm-commands-pending"]));
}
