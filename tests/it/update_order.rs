//! The order of events about OS updates does not matter, neither within a log nor between two logs.

use crate::support;
use crate::support::{Mac, fixture, time};
use mdm_health::collect;
use mdm_health::event::update::{
    EnforcedDeclaration, Progress, ReportKind, Standing, UpdateEvent, UpdateLog, UpdateMessage,
};
use mdm_health::event::{Event, EventKind};
use mdm_health::facts::system_version;
use mdm_health::health::{Evidence, Findings};
use mdm_health::host::Recorded;
use mdm_health::journal::Journal;
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::Fact;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;

const MINOR: &str = "MSU_UPDATE_25G229_patch_26.7_minor";
const MAJOR: &str = "MSU_UPDATE_26A428_patch_27.0_major";
const SYSTEM: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\
    <key>ProductVersion</key><string>26.6.2</string><key>ProductBuildVersion</key><string>25G83</string></dict></plist>";

fn evidence(name: &str) -> Evidence {
    let host = Recorded::open(&fixture("updates").join(name), None).unwrap();
    collect::evidence(&host, &ReadOptions::default(), &support::no_state())
}

/// The findings for the same events in another order.
fn shuffled(evidence: &Evidence, unified: &[Event], installs: &[Event]) -> Findings {
    let mut journal = Journal::empty(evidence.journal.covers.clone());
    journal.records = evidence.journal.records;
    unified.iter().for_each(|event| journal.push(event.clone()));
    journal.sort();
    let mut evidence = Evidence { journal, ..evidence.clone() };
    evidence.install_log.now = Fact::Known(installs.iter().cloned().map(Arc::new).collect());
    Findings::new(evidence)
}

fn names() -> impl Strategy<Value = String> {
    let mut names: Vec<String> = (fs::read_dir(fixture("updates")).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    proptest::sample::select(names)
}

/// Events of softwareupdated, many in the same second.
fn any_event() -> impl Strategy<Value = Event> {
    let phase = proptest::sample::select(vec![
        "ACCEPTED",
        "READY",
        "DOWNLOADING_UPDATE",
        "PREPARING_UPDATE",
        "PREPARED",
        "APPLYING",
        "COMPLETED",
    ]);
    let report = proptest::sample::select(vec![ReportKind::Start, ReportKind::Inter, ReportKind::End]);
    let progress = (phase, report, 0u32..1_000_000).prop_map(|(phase, report, portion)| {
        UpdateMessage::Progress(Progress {
            portion: Some(portion),
            report,
            phase: phase.into(),
            stalled: Some(false),
            written: None,
            expected: None,
            seconds_left: None,
        })
    });
    let keys = proptest::sample::subsequence(vec![MINOR, MAJOR], 0..=2);
    let found = keys.prop_map(|keys| UpdateMessage::Found { product_keys: keys.into_iter().map(Into::into).collect() });
    let declared = (0u8..3, any::<bool>()).prop_map(|(key, rejected)| {
        let declaration = Box::new(EnforcedDeclaration {
            key: Some(format!("k{key}").into()),
            deadline: Some("2026-11-23T12:00:00".into()),
            version: Some("26.7".into()),
            ..EnforcedDeclaration::default()
        });
        if rejected {
            UpdateMessage::Rejected { declaration, detail: "no".into() }
        } else {
            UpdateMessage::Declared { standing: Standing::Applicable, declaration }
        }
    });
    let runs = Just(UpdateMessage::RunsBuild { version: "26.7".into(), build: "25G229".into(), previous: None });
    let said = prop_oneof![6 => progress, 2 => found, 2 => declared, 1 => runs, 1 => Just(UpdateMessage::PrepareContinues), 1 => Just(UpdateMessage::Applied)];
    (0i64..20, 1u32..3, said).prop_map(|(second, pid, said)| {
        let update = UpdateEvent { message: said, log: UpdateLog::Unified, process: "softwareupdated".into() };
        Event {
            at: time("2026-11-23T17:00:00Z") + chrono::TimeDelta::seconds(second),
            pid,
            thread: 1,
            channel: None,
            attributed: true,
            level: None,
            kind: EventKind::Update(Box::new(update)),
        }
    })
}

fn same(one: &Findings, other: &Findings) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.updates, &other.updates);
    prop_assert_eq!(&one.update_timeline, &other.update_timeline);
    prop_assert_eq!(&one.enforcements, &other.enforcements);
    prop_assert_eq!(one.verdict.software_updates_stuck, other.verdict.software_updates_stuck);
    Ok(())
}

/// A Mac whose logs hold nothing about updates.
fn blank() -> Evidence {
    let mac = Mac::at("2026-11-23T18:00:00Z")
        .file(system_version::PATH, SYSTEM)
        .file("/private/var/log/install.log", "2026-11-23 12:00:00+00 host softwareupdated[754]: hello\n")
        .said("2026-11-23 17:50:00 <<<<< Received HTTP response (200) [Idle] <<<<<");
    let folder = mac.folder();
    let host = Recorded::open(folder.path(), None).unwrap();
    collect::evidence(&host, &ReadOptions::default(), &support::no_state())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_a_captures_events_gives_the_same_status(
        (name, unified, installs) in names().prop_flat_map(|name| {
            let evidence = evidence(&name);
            let unified: Vec<Event> = evidence.journal.events().chain(evidence.journal.updates()).cloned().collect();
            let installs = evidence.install_log.known().into_iter().flatten();
            let installs: Vec<Event> = installs.map(|event| Event::clone(event)).collect();
            (Just(name), Just(unified).prop_shuffle(), Just(installs).prop_shuffle())
        })
    ) {
        let evidence = evidence(&name);
        same(&shuffled(&evidence, &unified, &installs), &Findings::new(evidence))?;
    }

    #[test]
    fn any_order_of_any_events_gives_the_same_status(
        (events, mixed) in proptest::collection::vec(any_event(), 0..40)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle()))
    ) {
        let evidence = blank();
        same(&shuffled(&evidence, &mixed, &[]), &shuffled(&evidence, &events, &[]))?;
    }

    #[test]
    fn a_phase_never_goes_back_without_a_new_attempt(
        reports in proptest::collection::vec((0usize..5, 0usize..3, any::<bool>()), 1..30)
    ) {
        const PHASES: [&str; 5] = ["DOWNLOADING_UPDATE", "PREPARING_UPDATE", "PREPARED", "APPLYING", "COMPLETED"];
        const ORDER: [&str; 7] = ["offered", "downloading", "downloaded", "preparing", "prepared", "installing", "installed"];
        let event = |second: usize, said| Event {
            at: time("2026-11-23T17:00:00Z") + chrono::TimeDelta::seconds(i64::try_from(second).unwrap()),
            pid: 1,
            thread: 1,
            channel: None,
            attributed: true,
            level: None,
            kind: EventKind::Update(Box::new(UpdateEvent { message: said, log: UpdateLog::Unified, process: "softwareupdated".into() })),
        };
        let report = |phase: &str, report| UpdateMessage::Progress(Progress { portion: Some(1), report, phase: phase.into(), stalled: None, written: None, expected: None, seconds_left: None });
        let mut events = vec![event(0, UpdateMessage::Found { product_keys: vec![MINOR.into()] })];
        let (evidence, mut before) = (blank(), (0, 0));
        for (phase, kind, accepted) in reports {
            if accepted {
                events.push(event(events.len(), report("ACCEPTED", ReportKind::Start)));
            }
            events.push(event(events.len(), report(PHASES[phase], [ReportKind::Start, ReportKind::Inter, ReportKind::End][kind])));
            let findings = shuffled(&evidence, &events, &[]);
            let update = &findings.updates[0];
            let now = (ORDER.iter().position(|word| Some(*word) == update.phase().map(|phase| phase.word())).unwrap(), update.attempts);
            prop_assert!(now.0 >= before.0 || now.1 > before.1, "{before:?} then {now:?}");
            before = now;
        }
    }
}
