//! The codec against hostile bytes, against itself, and against a message of osquery's.

use super::*;
use proptest::prelude::*;

const LIMIT: usize = 1 << 16;

fn read(mut bytes: &[u8]) -> Result<Option<Message>, ThriftError> {
    Message::read(&mut bytes, LIMIT)
}

/// A value of any type, as it stands on the wire, with its type.
fn value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| (kind::BOOL, vec![u8::from(value)])),
        any::<i8>().prop_map(|value| (kind::BYTE, value.to_be_bytes().to_vec())),
        any::<i16>().prop_map(|value| (kind::I16, value.to_be_bytes().to_vec())),
        any::<i32>().prop_map(|value| (kind::I32, value.to_be_bytes().to_vec())),
        any::<i64>().prop_map(|value| (kind::I64, value.to_be_bytes().to_vec())),
        any::<f64>().prop_map(|value| (kind::DOUBLE, value.to_be_bytes().to_vec())),
        ".{0,20}".prop_map(|text| (kind::STRING, string(&text))),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let many = (inner, 0..4usize);
        prop_oneof![
            many.clone().prop_map(|((of, value), count)| {
                (kind::LIST, [vec![of], length(count), value.repeat(count)].concat())
            }),
            (many.clone(), ".{0,9}").prop_map(|(((of, value), count), key)| {
                let entry = [string(&key), value].concat();
                (kind::MAP, [vec![kind::STRING, of], length(count), entry.repeat(count)].concat())
            }),
            many.prop_map(|((of, value), count)| {
                let fields = (0..count).map(|id| [vec![of, 0, u8::try_from(id).unwrap()], value.clone()].concat());
                (kind::STRUCT, [fields.collect::<Vec<_>>().concat(), vec![kind::STOP]].concat())
            }),
        ]
    })
}

fn string(text: &str) -> Vec<u8> {
    [length(text.len()), text.as_bytes().to_vec()].concat()
}

fn length(count: usize) -> Vec<u8> {
    i32::try_from(count).unwrap().to_be_bytes().to_vec()
}

/// A message whose only argument is that value, with the number 1.
fn message((of, value): &(u8, Vec<u8>)) -> Vec<u8> {
    let head = Encoder::message(MessageKind::Call, "call", 7).bytes();
    [head, vec![*of, 0, 1], value.clone(), vec![kind::STOP]].concat()
}

proptest! {
    #[test]
    fn a_whole_message_is_taken_to_its_last_byte_and_no_further(value in value(), more in any::<Vec<u8>>()) {
        let message = message(&value);
        let mut stream = message.as_slice().chain(more.as_slice());
        let read = Message::read(&mut stream, LIMIT).unwrap().unwrap();
        prop_assert_eq!(read.bytes(), &message);
        prop_assert_eq!((read.kind, read.name.as_str(), read.sequence), (MessageKind::Call, "call", 7));
        let mut left = Vec::new();
        stream.read_to_end(&mut left).unwrap();
        prop_assert_eq!(left, more);
        prop_assert_eq!(field(read.body(), 1, value.0).unwrap(), Some(value.1.as_slice()));
        prop_assert_eq!(field(read.body(), 2, value.0).unwrap(), None);
    }

    #[test]
    fn a_message_cut_off_anywhere_is_an_error(value in value(), cut in any::<prop::sample::Index>()) {
        let message = message(&value);
        let cut = cut.index(message.len());
        let read = read(&message[..cut]);
        let right = if cut == 0 { matches!(read, Ok(None)) } else { matches!(read, Err(ThriftError::Broken(_))) };
        prop_assert!(right);
    }

    #[test]
    fn a_message_of_one_byte_too_many_is_an_error(value in value()) {
        let message = message(&value);
        prop_assert!(Message::read(&mut message.as_slice(), message.len()).is_ok());
        let error = Message::read(&mut message.as_slice(), message.len() - 1).unwrap_err();
        let too_long = matches!(error, ThriftError::TooLong { .. });
        prop_assert!(too_long);
    }

    #[test]
    fn no_bytes_bring_it_down(mut bytes in any::<Vec<u8>>(), value in value(), at in any::<prop::sample::Index>()) {
        let _ = read(&bytes);
        let mut changed = message(&value);
        let at = at.index(changed.len());
        changed.splice(at..at, bytes.drain(..bytes.len().min(3)));
        for bytes in [&bytes, &changed, &[&VERSION.to_be_bytes()[..3], &[2], &bytes].concat()] {
            if let Ok(Some(message)) = read(bytes) {
                let _ = (message.status(), message.uuids(), message.registry());
            }
        }
    }

    #[test]
    fn a_status_comes_back_as_it_went(sequence: i32, uuid: i64, words in ".{0,40}") {
        let call = read(&Encoder::message(MessageKind::Call, "ping", sequence).stop().bytes()).unwrap().unwrap();
        let reply = read(&success(&call, uuid)).unwrap().unwrap();
        prop_assert_eq!((reply.sequence, reply.name.as_str()), (sequence, "ping"));
        prop_assert_eq!(reply.status().unwrap(), Status { code: 0, message: "OK".to_owned(), uuid });
        let exception = Encoder::message(MessageKind::Exception, "ping", sequence).text(1, &words).i32(2, 6).stop();
        let error = read(&exception.bytes()).unwrap().unwrap().status().unwrap_err();
        prop_assert_eq!(error.to_string(), format!("the other side answered: {words}"));
    }
}

#[test]
fn a_length_that_promises_much_takes_no_memory_ahead_of_its_bytes() {
    // A text of 100 MiB of which nothing comes.
    let limit = 200 << 20;
    let bytes = [&[kind::STRING, 0, 1][..], &(100_i32 << 20).to_be_bytes()].concat();
    let mut walker = Walker::new(bytes.as_slice(), limit);
    assert!(matches!(walker.skip(kind::STRUCT, 0), Err(ThriftError::Broken(_))));
    assert!(walker.seen.capacity() < 1 << 20, "{}", walker.seen.capacity());
    // A list of two thousand million of which nothing comes, and one of things that take no bytes.
    let list = |of: u8| [&[of][..], &i32::MAX.to_be_bytes()].concat();
    assert!(matches!(Walker::new(list(kind::MAP).as_slice(), limit).skip(kind::LIST, 0), Err(ThriftError::Broken(_))));
    assert!(matches!(
        Walker::new(list(kind::STOP).as_slice(), limit).skip(kind::LIST, 0),
        Err(ThriftError::Malformed(_))
    ));
    let below_zero = [&[kind::STRING][..], &(-1_i32).to_be_bytes()].concat();
    assert!(matches!(Walker::new(below_zero.as_slice(), limit).skip(kind::LIST, 0), Err(ThriftError::Malformed(_))));
}

#[test]
fn values_deep_in_one_another_are_refused_before_the_stack_ends() {
    let deep = [kind::STRUCT, 0, 1].repeat(20_000);
    let mut walker = Walker::over(&deep);
    assert!(matches!(walker.skip(kind::STRUCT, 0), Err(ThriftError::Malformed(_))));
}

#[test]
fn an_answer_is_read_leniently_where_osquery_leaves_things_out() {
    // What osquery-rust-ng and older extensions answer to a ping: a status of which nothing is set.
    let unset = Encoder::message(MessageKind::Reply, "ping", 1).open(0).stop().stop().bytes();
    let status = read(&unset).unwrap().unwrap().status().unwrap();
    assert_eq!(status, Status { code: 0, message: String::new(), uuid: 0 });
    let nobody = [kind::I64, kind::STRUCT, 0, 0, 0, 0];
    let none = Encoder::message(MessageKind::Reply, "extensions", 1).map(0, &nobody).stop().bytes();
    assert_eq!(read(&none).unwrap().unwrap().uuids().unwrap(), Vec::<i64>::new());
}

#[test]
fn an_answer_without_what_was_asked_for_is_an_error() {
    let empty = read(&Encoder::message(MessageKind::Reply, "ping", 1).stop().bytes()).unwrap().unwrap();
    assert!(empty.status().is_err() && empty.uuids().is_err() && empty.registry().is_err());
    let call = read(&Encoder::message(MessageKind::Call, "ping", 1).stop().bytes()).unwrap().unwrap();
    assert!(call.status().is_err());
    assert!(read(b"GET / HTTP/1.1\r\n\r\n").is_err());
}
