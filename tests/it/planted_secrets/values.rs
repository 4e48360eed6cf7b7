//! Made-up secrets of every form, each of them only once: serial numbers, addresses, tokens, and names in several scripts.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Gives values that differ from each other and are the same in each run.
pub struct Values {
    state: u64,
}

const UPPER: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const SERIAL: &str = "0123456789CDFGHJKLMNPQRTVWXY";
const HEX: &str = "0123456789abcdef";
const BASE62: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SYLLABLES: [&[&str]; 4] = [
    &["ba", "ro", "mi", "ten", "sal", "vik", "dor", "lan", "pe", "gri", "mon", "tas", "zel", "hur"],
    &["ка", "ро", "ми", "тен", "сал", "вик", "дор", "лан", "пе", "гри", "мон", "тас", "зел", "жур"],
    &["bé", "rø", "mï", "ñon", "såd", "vük", "dœr", "lân", "pë", "grì", "çan", "tõs", "žel", "hőr"],
    &["كا", "رو", "مي", "تن", "سل", "فيك", "دور", "لان", "بي", "غري", "مون", "تاس", "زيل", "هور"],
];
const HAN: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红梅鑫宇晨曦浩然梓涵";
const HAN_SURNAMES: &str = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗";

/// The scripts in which names are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Latin = 0,
    Cyrillic = 1,
    Accented = 2,
    Arabic = 3,
    Chinese = 4,
}

impl Values {
    pub fn new() -> Self {
        Self { state: 0x9e37_79b9_7f4a_7c15 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    pub fn of(&mut self, letters: &str, length: usize) -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..length).map(|_| letters[self.below(letters.len())]).collect()
    }

    pub fn digits(&mut self, length: usize) -> String {
        self.of("0123456789", length)
    }

    pub fn hex(&mut self, length: usize) -> String {
        // With a letter and a digit, as nearly all have.
        self.of(HEX, length - 2) + "a7"
    }

    pub fn token(&mut self, length: usize) -> String {
        self.of(BASE62, length - 4) + "x7Q9"
    }

    /// As Macs had them up to 2021, `C02ZK1ABMD6T`.
    pub fn old_serial(&mut self) -> String {
        format!("C0{}{}", self.of(SERIAL, 9), self.of("CDFGH", 1))
    }

    /// As Macs have them since, ten letters at random.
    pub fn new_serial(&mut self) -> String {
        format!("{}{}{}", self.of(UPPER, 2), self.of(SERIAL, 7), self.digits(1))
    }

    pub fn uuid(&mut self) -> String {
        let mut part = |length| self.hex(length).to_uppercase();
        format!("{}-{}-{}-{}-{}", part(8), part(4), part(4), part(4), part(12))
    }

    pub fn silicon_udid(&mut self) -> String {
        format!("0000{}-{}", self.digits(4), self.hex(16).to_uppercase())
    }

    /// Digits of which the last one is Luhn's check digit.
    pub fn luhn(&mut self, head: &str, length: usize) -> String {
        let body = format!("{head}{}", self.digits(length - 1 - head.len()));
        let sum: u32 = body
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, digit)| {
                let digit = u32::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    pub fn ipv4(&mut self) -> String {
        format!("10.{}.{}.{}", self.below(200) + 20, self.below(200) + 20, self.below(200) + 20)
    }

    pub fn ipv6(&mut self) -> String {
        format!("fd{}:{}:{}::{}", self.of(HEX, 2), self.hex(4), self.hex(4), self.hex(4))
    }

    pub fn mac(&mut self, between: &str) -> String {
        (0..6).map(|_| self.of("2468ace", 1) + &self.of(HEX, 1)).collect::<Vec<_>>().join(between)
    }

    pub fn word(&mut self, script: Script) -> String {
        if script == Script::Chinese {
            return self.of(HAN_SURNAMES, 1) + &self.of(HAN, 2) + &self.of(HAN, 1);
        }
        let syllables = SYLLABLES[script as usize];
        (0..4).map(|_| syllables[self.below(syllables.len())]).collect()
    }

    /// One name, capitalized where the script has cases.
    pub fn name(&mut self, script: Script) -> String {
        let word = self.word(script);
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    pub fn jwt(&mut self) -> String {
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let head = part("{\"alg\":\"RS256\",\"typ\":\"JWT\"}".to_owned());
        format!("{head}.{}.{}", part(format!("{{\"sub\":\"{}\"}}", self.token(12))), self.token(43))
    }

    pub fn base64(&mut self, bytes: usize) -> String {
        STANDARD.encode((0..bytes).map(|_| u8::try_from(self.below(256)).unwrap()).collect::<Vec<_>>())
    }
}
