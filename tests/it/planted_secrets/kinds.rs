//! The kinds of secrets, each in the words in which a log, a profile or a command's output holds one.

use super::values::{Script, Values};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// A text, and what in it must not be seen.
pub struct Planted {
    pub text: String,
    pub secrets: Vec<String>,
}

/// A kind of secret.
pub struct Kind {
    pub name: &'static str,
    pub plant: fn(&mut Values) -> Planted,
    /// Whether `capture --help` says that none of it stays.
    pub promised: bool,
}

/// Puts values into a text, in which `{}` stands for one after the other.
fn say(text: &str, secrets: &[&str]) -> Planted {
    let mut said = String::new();
    let mut parts = text.split("{}");
    said += parts.next().unwrap();
    for (part, secret) in parts.zip(secrets) {
        said = said + secret + part;
    }
    Planted { text: said, secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect() }
}

const fn promised(name: &'static str, plant: fn(&mut Values) -> Planted) -> Kind {
    Kind { name, plant, promised: true }
}

const fn not_promised(name: &'static str, plant: fn(&mut Values) -> Planted) -> Kind {
    Kind { name, plant, promised: false }
}

pub const KINDS: &[Kind] = &[
    promised("serial under its label", |v| say("SerialNumber = {};", &[&v.old_serial()])),
    promised("serial in a sentence, in lower case", |v| {
        say("the serial number is {}.", &[&v.old_serial().to_lowercase()])
    }),
    promised("e-mail address with a name in quotes", |v| {
        let (first, last) = (v.name(Script::Latin), v.name(Script::Latin));
        say("sent to \"{} {}\"@mail.example today", &[&first, &last])
    }),
    promised("URL within a URL", |v| {
        say("itms-services://?action=download-manifest&url=https%3A%2F%2Fpkg.example.com%2F{}", &[&v.token(9)])
    }),
    promised("path on a server", |v| {
        let (server, folder) = (v.name(Script::Latin), v.name(Script::Latin));
        say(r"opened \\{}\shared\{}", &[&server, &folder])
    }),
    promised("LDAP name with blanks", |v| {
        let (person, unit) = (v.name(Script::Chinese), v.name(Script::Latin));
        say("bound as cn = {} , ou = {}", &[&person, &unit])
    }),
    promised("location under its label", |v| say("Location: {} 7", &[&v.name(Script::Latin)])),
    promised("password under a German label", |v| say("Passwort: {}", &[&v.token(9)])),
    promised("password under a French label", |v| say("mot de passe : {}", &[&v.token(9)])),
    promised("password under a Russian label", |v| say("пароль: {}", &[&v.token(9)])),
    promised("serial under words", |v| say("Serial Number (system): {}", &[&v.new_serial()])),
    promised("bare serial, 12", |v| say("device {} checked in again", &[&v.old_serial()])),
    promised("bare serial, 10", |v| say("assigned to {} by the server", &[&v.new_serial()])),
    promised("UDID of Apple silicon", |v| say("removing {} from the list", &[&v.silicon_udid()])),
    promised("UDID under its label", |v| say("UDID = \"{}\";", &[&v.uuid()])),
    promised("bare UDID of an Intel Mac", |v| say("enrollment of {} was renewed", &[&v.uuid()])),
    promised("IMEI under its label", |v| {
        let imei = v.luhn("35", 15);
        let spaced = format!("{} {} {} {}", &imei[..2], &imei[2..8], &imei[8..14], &imei[14..]);
        say("IMEI: {}", &[&spaced])
    }),
    promised("bare IMEI", |v| say("modem {} is ready", &[&v.luhn("35", 15)])),
    promised("ICCID", |v| say("sim {} inserted", &[&v.luhn("8901", 19)])),
    promised("EID", |v| say("eid {} found", &[&("8904".to_owned() + &v.digits(28))])),
    promised("hardware address", |v| say("interface en0 ether {} up", &[&v.mac(":")])),
    promised("hardware address with dashes", |v| say("from {} on en1", &[&v.mac("-").to_uppercase()])),
    promised("hardware address with dots", |v| {
        let bare = v.mac("");
        say("peer {} seen", &[&format!("{}.{}.{}", &bare[..4], &bare[4..8], &bare[8..])])
    }),
    promised("hardware address alone", |v| say("station {} joined", &[&v.mac("")])),
    promised("IPv4 address", |v| say("connected from {} to the proxy", &[&v.ipv4()])),
    promised("IPv4 address with a port", |v| say("peer={}:8443", &[&v.ipv4()])),
    promised("IPv6 address", |v| say("route to {} is up", &[&v.ipv6()])),
    promised("IPv6 address in brackets", |v| say("listening on [{}]:443", &[&v.ipv6()])),
    promised("e-mail address", |v| {
        let (user, host) = (v.word(Script::Latin), v.word(Script::Latin));
        say("sent to {}@{}.test today", &[&user, &host])
    }),
    promised("e-mail address, Cyrillic", |v| {
        let (user, host) = (v.word(Script::Cyrillic), v.word(Script::Cyrillic));
        say("письмо для {}@{}.рф отправлено", &[&user, &host])
    }),
    promised("e-mail address, Chinese", |v| {
        let (user, host) = (v.word(Script::Chinese), v.word(Script::Chinese));
        say("mailto:{}@{}.公司", &[&user, &host])
    }),
    promised("e-mail address, Arabic", |v| {
        let (user, host) = (v.word(Script::Arabic), v.word(Script::Arabic));
        say("account <{}@{}.test>", &[&user, &host])
    }),
    promised("e-mail address, accented", |v| {
        let (user, host) = (v.word(Script::Accented), v.word(Script::Accented));
        say("from {}+mdm@{}.example.test", &[&user, &host])
    }),
    promised("e-mail address, encoded", |v| say("login_hint={}%40acme.test", &[&v.word(Script::Latin)])),
    promised("telephone number", |v| say("call {} for help", &[&format!("+1 306 {} 4{}", v.digits(3), v.digits(3))])),
    promised("telephone number, national", |v| say("support: (306) 555{}", &[&format!("-4{}", v.digits(3))])),
    promised("telephone number under its label", |v| say("OrganizationPhone = {};", &[&v.digits(10)])),
    promised("host under its label", |v| say("HostName = {};", &[&v.word(Script::Latin)])),
    promised("local host name", |v| say("resolving {}.local again", &[&v.name(Script::Latin)])),
    promised("local host name, accented", |v| say("resolving {}.local.", &[&v.name(Script::Accented)])),
    promised("host in a URL", |v| say("GET https://{}.{}.test/mdm", &[&v.word(Script::Latin), &v.word(Script::Latin)])),
    promised("host in a URL, Chinese", |v| {
        say("GET https://{}.{}.test/mdm", &[&v.word(Script::Chinese), &v.word(Script::Chinese)])
    }),
    promised("host and port", |v| say("dial tcp mdm.{}.test:8443", &[&v.word(Script::Latin)])),
    promised("server under its label", |v| say("ProxyServer = proxy.{}.test;", &[&v.word(Script::Latin)])),
    promised("computer of a person", |v| say("shared as {}’s MacBook Pro", &[&v.name(Script::Latin)])),
    promised("computer of a person, Cyrillic", |v| say("shared as MacBook Pro — {}", &[&v.name(Script::Cyrillic)])),
    promised("computer of a person, Chinese", |v| say("shared as {}的MacBook Air", &[&v.word(Script::Chinese)])),
    promised("computer of a person, dashes", |v| say("joined as {}s-MacBook-Pro-2 now", &[&v.name(Script::Latin)])),
    promised("user under its label", |v| say("UserName = {};", &[&v.word(Script::Latin)])),
    promised("user=", |v| say("session opened user={} tty=console", &[&v.word(Script::Latin)])),
    promised("user=, Cyrillic", |v| say("session opened user={} tty=console", &[&v.word(Script::Cyrillic)])),
    promised("user in quotes", |v| say("username '{}' was rejected", &[&v.word(Script::Latin)])),
    promised("user of an id", |v| say("uid=501({}) gid=20(staff)", &[&v.word(Script::Latin)])),
    promised("user in JSON", |v| {
        let (first, last) = (v.name(Script::Latin), v.name(Script::Accented));
        say("{\"user\":{\"name\":\"{} {}\"}}", &[&first, &last])
    }),
    promised("Wi-Fi name behind its verb", |v| {
        say("associated to '{} {}' on en0", &[&v.name(Script::Latin), &v.name(Script::Cyrillic)])
    }),
    promised("computer of a person, model first", |v| say("joined as MBP-{} now", &[&v.name(Script::Latin)])),
    promised("password behind its word", |v| say("tried password {} again", &[&v.token(12)])),
    promised("UserID", |v| say("UserID: {}", &[&v.word(Script::Latin)])),
    promised("DisplayName, quoted", |v| {
        let (first, last) = (v.name(Script::Accented), v.name(Script::Accented));
        say("DisplayName = \"{} {}\";", &[&first, &last])
    }),
    promised("DisplayName, two words", |v| {
        let (first, last) = (v.name(Script::Latin), v.name(Script::Latin));
        say("DisplayName: {} {} logged in", &[&first, &last])
    }),
    promised("DisplayName, Cyrillic", |v| {
        let (first, last) = (v.name(Script::Cyrillic), v.name(Script::Cyrillic));
        say("DisplayName={} {}, locale=ru", &[&first, &last])
    }),
    promised("LastName, Chinese", |v| say("LastName = {};", &[&v.word(Script::Chinese)])),
    promised("FirstName, Arabic", |v| say("FirstName: {}", &[&v.word(Script::Arabic)])),
    promised("full name in XML", |v| {
        let (first, last) = (v.name(Script::Cyrillic), v.name(Script::Accented));
        say("<key>UserLongName</key><string>{} {}</string>", &[&first, &last])
    }),
    promised("names in JSON", |v| {
        let (first, last, login) = (v.name(Script::Chinese), v.name(Script::Arabic), v.word(Script::Latin));
        say("{\"givenName\":\"{}\",\"family_name\":\"{}\",\"login\":\"{}\"}", &[&first, &last, &login])
    }),
    promised("home folder", |v| say("reading /Users/{}/Library/x.plist", &[&v.word(Script::Latin)])),
    promised("home folder of two words", |v| {
        let (first, last) = (v.word(Script::Latin), v.word(Script::Latin));
        say("reading /Users/{} {}/Library/x.plist", &[&first, &last])
    }),
    promised("home folder, Cyrillic", |v| say("reading \"/Users/{}\"", &[&v.word(Script::Cyrillic)])),
    promised("home folder, encoded", |v| {
        let (first, last) = (v.word(Script::Latin), v.word(Script::Latin));
        say("file:///Users/{}%20{}/Desktop", &[&first, &last])
    }),
    promised("home folder of other systems", |v| say("copied from /home/{}/x", &[&v.word(Script::Latin)])),
    promised("home folder by tilde", |v| say("copied to ~{}/Documents", &[&v.word(Script::Latin)])),
    promised("mounted disk", |v| say("found /Volumes/{}/Installer.app", &[&v.name(Script::Accented)])),
    promised("user's temporary folder", |v| {
        say("in /private/var/folders/zz/{}/T/x", &[&v.of("0123456789abcdefghijklmnopqrstuvwxyz_", 28)])
    }),
    promised("DOMAIN\\user", |v| {
        let (domain, user) = (v.of("BCDFGKLMPRSTVW", 8), v.word(Script::Latin));
        say("bound as {}\\{} again", &[&domain, &user])
    }),
    promised("Kerberos principal", |v| {
        let (user, realm) = (v.word(Script::Latin), v.word(Script::Latin).to_uppercase());
        say("ticket for {}@{} expired", &[&user, &realm])
    }),
    promised("LDAP name", |v| {
        let (name, last, unit, domain) =
            (v.name(Script::Latin), v.name(Script::Cyrillic), v.name(Script::Accented), v.word(Script::Latin));
        say("binding CN={} {},OU={},DC={},DC=test failed", &[&name, &last, &unit, &domain])
    }),
    promised("organization under its label", |v| {
        let (first, last) = (v.name(Script::Cyrillic), v.name(Script::Cyrillic));
        say("OrganizationName = \"{} {}\";", &[&first, &last])
    }),
    promised("organization, escaped", |v| {
        let name = v.name(Script::Accented);
        let escaped: String = name
            .chars()
            .map(|one| if one.is_ascii() { one.to_string() } else { format!("\\U{:04x}", u32::from(one)) })
            .collect();
        say("OrganizationName = \"{}\";", &[&escaped])
    }),
    promised("department under its label", |v| say("Department: {}", &[&v.name(Script::Latin)])),
    promised("place under its label", |v| {
        let (street, city) = (v.name(Script::Accented), v.name(Script::Latin));
        say("Street = \"{} 12\"; City = {};", &[&street, &city])
    }),
    promised("asset tag", |v| say("AssetTag={}", &[&v.of(BASE36, 8)])),
    promised("Wi-Fi name under its label", |v| {
        let (first, last) = (v.name(Script::Latin), v.name(Script::Latin));
        say("SSID = \"{} {}\";", &[&first, &last])
    }),
    promised("Wi-Fi name under words", |v| {
        let (first, last) = (v.name(Script::Latin), v.word(Script::Latin));
        say("Current Wi-Fi Network: {} {}", &[&first, &last])
    }),
    promised("Wi-Fi name in a sentence", |v| say("joined Wi-Fi network \"{}\" on en0", &[&v.word(Script::Chinese)])),
    promised("BSSID", |v| say("BSSID: {}", &[&v.mac(":")])),
    promised("JWT", |v| {
        let jwt = v.jwt();
        let signature = jwt.rsplit('.').next().unwrap().to_owned();
        let claims = jwt.split('.').nth(1).unwrap().to_owned();
        Planted { text: format!("assertion {jwt} rejected"), secrets: vec![claims, signature] }
    }),
    promised("bearer token", |v| say("Authorization: Bearer {}", &[&v.token(40)])),
    promised("basic authorization", |v| {
        let (user, password) = (v.word(Script::Latin), v.token(12));
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        Planted { text: format!("Authorization: Basic {encoded}"), secrets: vec![encoded, user, password] }
    }),
    promised("cookie", |v| {
        let (one, other) = (v.token(16), v.word(Script::Latin));
        say("Cookie: JSESSIONID={}; theme={}", &[&one, &other])
    }),
    promised("cookie that is set", |v| say("Set-Cookie: sid={}; Path=/; HttpOnly", &[&v.word(Script::Latin)])),
    promised("API key under its label", |v| say("x-api-key: {}", &[&v.word(Script::Latin)])),
    promised("access key of AWS", |v| {
        say("using AKIA{} for the bucket", &[&v.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)])
    }),
    promised("token of GitHub", |v| say("clone with ghp_{} failed", &[&v.token(36)])),
    promised("token of Slack", |v| say("posting as xoxb-{}-{}", &[&v.digits(12), &v.token(24)])),
    promised("key of Google", |v| say("maps?key=AIza{}", &[&v.token(35)])),
    promised("key of Stripe", |v| say("charge with sk_live_{}", &[&v.token(24)])),
    promised("token alone", |v| say("cached {} for later", &[&v.token(32)])),
    promised("token alone, hexadecimal", |v| say("cached {} for later", &[&v.hex(64)])),
    promised("password under its label", |v| {
        say("Password='{} {}'", &[&v.word(Script::Latin), &v.word(Script::Cyrillic)])
    }),
    promised("password in a command", |v| say("run with --password {} --verbose", &[&v.word(Script::Latin)])),
    promised("password of two words", |v| {
        let (one, other) = (v.word(Script::Latin), v.word(Script::Latin));
        say("passphrase: {} {}", &[&one, &other])
    }),
    promised("client secret", |v| say("client_secret={}&grant_type=x", &[&v.word(Script::Latin)])),
    promised("recovery key", |v| {
        let parts: Vec<String> = (0..6).map(|_| v.of("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", 4)).collect();
        say("escrowed {} with the server", &[&parts.join("-")])
    }),
    promised("push magic", |v| say("PushMagic: {} token length: 32", &[&v.uuid()])),
    promised("push topic", |v| say("topic com.apple.mgmt.External.{} registered", &[&v.uuid().to_lowercase()])),
    promised("push token", |v| {
        let hex: Vec<String> = (0..4).map(|_| v.hex(8)).collect();
        let text = format!("{{length = 32, bytes = 0x{} {} ... {} {}}}", hex[0], hex[1], hex[2], hex[3]);
        Planted { text: format!("registered {text} with apsd"), secrets: hex }
    }),
    promised("data in angle brackets", |v| {
        let hex: Vec<String> = (0..4).map(|_| v.hex(8)).collect();
        Planted { text: format!("registered <{}> with apsd", hex.join(" ")), secrets: hex }
    }),
    promised("bootstrap token", |v| say("escrowing {} now", &[&v.base64(48)])),
    promised("token in a path of a URL", |v| say("PUT https://mdm.example.test/mdm/{}/checkin", &[&v.token(12)])),
    promised("name in a path of a URL", |v| {
        say("PUT https://mdm.example.test/tenants/{}/checkin", &[&v.word(Script::Latin)])
    }),
    promised("value in a URL", |v| {
        say("GET https://mdm.example.test/x?tenant={}&u={}", &[&v.word(Script::Latin), &v.name(Script::Cyrillic)])
    }),
    promised("login in a URL", |v| {
        say("GET https://{}:{}@mdm.example.test/x", &[&v.word(Script::Latin), &v.word(Script::Latin)])
    }),
    promised("address in base64", |v| {
        let user = v.word(Script::Latin);
        let encoded = STANDARD.encode(format!("mail of {user}@acme.test"));
        Planted { text: format!("payload {encoded} received"), secrets: vec![encoded, user] }
    }),
    promised("declaration id in base64", |v| {
        let user = v.word(Script::Accented);
        let encoded = STANDARD_NO_PAD.encode(format!("Update for {user}"));
        let token = STANDARD_NO_PAD.encode(v.token(12));
        let text = format!("com.apple.RemoteManagement.SoftwareUpdateExtension/1:{encoded}.{token}");
        Planted { text: format!("declaration {text} is active"), secrets: vec![encoded, user, token] }
    }),
    promised("private key", |v| {
        let key = v.base64(48);
        Planted { text: format!("-----BEGIN PRIVATE KEY----- {key} -----END PRIVATE KEY-----"), secrets: vec![key] }
    }),
    promised("Apple ID", |v| say("AppleID = {};", &[&v.word(Script::Latin)])),
    promised("account number", |v| say("DSID: {}", &[&v.digits(10)])),
    promised("card number", |v| say("card {} declined", &[&v.luhn("4111", 16)])),
    promised("position", |v| say("latitude=50.4{}, longitude=-104.6{}", &[&v.digits(5), &v.digits(5)])),
    not_promised("name in a sentence", |v| {
        let (first, last) = (v.name(Script::Latin), v.name(Script::Latin));
        say("profile was removed by {} {} yesterday", &[&first, &last])
    }),
    not_promised("name in a sentence, Chinese", |v| say("{}删除了描述文件", &[&v.word(Script::Chinese)])),
    not_promised("password in a sentence", |v| say("it worked with {} after all", &[&v.word(Script::Latin)])),
    not_promised("digits in a sentence", |v| say("the code was {} today", &[&v.digits(6)])),
    not_promised("organization in a sentence", |v| say("this is a Mac of {} Inc", &[&v.name(Script::Latin)])),
];

const BASE36: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
