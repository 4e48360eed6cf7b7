//! A sysdiagnose as a Mac makes one, with a story in its log.

use super::story::Story;
use plist::{Dictionary, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder's name: the moment and offset at which it was made.
pub const NAME: &str = "sysdiagnose_2026.11.23_19-00-00+0100_macOS_Mac14-2_24G90";

pub const SW_VERS: &str =
    "ProductName:\t\tmacOS\nProductVersion:\t\t15.6.1\nProductVersionExtra:\t(a)\nBuildVersion:\t\t24G90\n";

/// A dump with an activation that is in force, one that is not, and a configuration; a fourth declaration is only
/// reported.
pub const RMD: &str = r#"{
    Detail =     {
        Report =         {
            "Management Sources" =             (
                {
                    activations =                     (
                        {
                            declarationType = "com.apple.activation.simple";
                            identifier = "act-1";
                            loadState = loaded;
                            serverToken = "t-1";
                            state =                             {
                                active = 1;
                                inactiveReasons =                                 (
                                );
                            };
                        },
                        {
                            declarationType = "com.apple.activation.simple";
                            identifier = "act-2";
                            loadState = loaded;
                            state =                             {
                                active = 0;
                                inactiveReasons =                                 (
                                    {
                                        code = "Error.PredicateFailed";
                                    }
                                );
                            };
                        }
                    );
                    conduitConfig =                     {
                        state =                         {
                            lastProcessedDeclarationsToken = "d-7";
                            lastReceivedServerTokensFromServerTimestamp = "2026-11-23 16:00:00 +0000";
                            numberOfConsecutiveErrors = 2;
                        };
                    };
                    configurations =                     (
                        {
                            active = 1;
                            declarationType = "com.apple.configuration.passcode.settings";
                            identifier = "cfg-1";
                            loadState = loaded;
                            serverToken = "t-3";
                        }
                    );
                }
            );
        };
        Status =         (
            {
                Status =                 {
                    management =                     {
                        declarations =                         {
                            activations =                             (
                                {
                                    active = 1;
                                    identifier = "act-1";
                                    valid = valid;
                                }
                            );
                            assets =                             (
                                {
                                    active = 0;
                                    identifier = "asset-1";
                                    reasons =                                     (
                                        {
                                            code = "Error.AssetCannotBeDownloaded";
                                        }
                                    );
                                    "server-token" = "t-4";
                                    valid = unknown;
                                }
                            );
                            configurations =                             (
                                {
                                    active = 1;
                                    identifier = "cfg-1";
                                    reasons =                                     (
                                        {
                                            code = "Error.ConfigurationCannotBeApplied";
                                        }
                                    );
                                    valid = invalid;
                                }
                            );
                        };
                    };
                };
            }
        );
    };
}
"#;

pub const INSTALL_LOG: &str = "2026-11-23 18:30:00+01 Mac softwareupdated[500]: Removing client SUUpdateServiceClient pid=600, uid=0, \
     installAuth=NO rights=(), transactions=0 (/usr/sbin/softwareupdate)\n";

fn words(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn dictionary(pairs: &[(&str, Value)]) -> Value {
    Value::Dictionary(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn save(value: &Value, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    value.to_file_binary(path).unwrap();
}

/// The profiles of an enrolled Mac, in groups as macOS 13 and later have them.
fn profiles() -> Value {
    let mdm = "{\n    AccessRights = 8191;\n    ServerURL = \"https://mdm.example.com/connect\";\n    Topic = \
        \"com.apple.mgmt.External.1\";\n}";
    let payload = dictionary(&[("_name", words("com.apple.mdm")), ("spconfigprofile_payload_data", words(mdm))]);
    let profile = dictionary(&[
        ("_name", words("Enrollment")),
        ("spconfigprofile_profile_identifier", words("com.example.mdm")),
        ("spconfigprofile_organization", words("Example")),
        ("_items", Value::Array(vec![payload])),
    ]);
    let group =
        dictionary(&[("_name", words("Device Configuration Profiles")), ("_items", Value::Array(vec![profile]))]);
    Value::Array(vec![dictionary(&[("_items", Value::Array(vec![group]))])])
}

/// Writes a sysdiagnose below a folder and gives its own.
pub fn sysdiagnose(below: &Path, story: &Story, made_at: i64) -> PathBuf {
    let folder = below.join(NAME);
    let archive = folder.join("system_logs.logarchive");
    story.archive(&archive);
    let end: Dictionary =
        [("WallTime".to_owned(), Value::Integer((made_at * 1_000_000_000).into()))].into_iter().collect();
    save(&dictionary(&[("EndTimeRef", Value::Dictionary(end))]), &archive.join("Info.plist"));
    save(&profiles(), &folder.join("SystemProfiler/SPConfigurationProfileDataType.spx"));
    for (name, text) in
        [("sw_vers.txt", SW_VERS), ("logs/rmd/rmd_inspect_system.txt", RMD), ("logs/install.log", INSTALL_LOG)]
    {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}
