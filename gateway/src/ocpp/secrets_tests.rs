//! Secrets that must not be kept, in the words of each dialect and of makers; and what must stay as it was.

use super::*;

// Nothing of `zq9` is left, all else can still be read.
fn gone(frame: &str) -> String {
    let hidden = blanked(frame).into_owned();
    assert!(frame.contains("zq9"), "{frame}");
    assert!(!hidden.contains("zq9"), "{hidden}");
    assert!(hidden.contains(HIDDEN), "{hidden}");
    serde_json::from_str::<serde_json::Value>(&hidden).expect(&hidden);
    hidden
}

#[test]
fn keys_and_variables_in_both_directions() {
    assert_eq!(
        gone(r#"[2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "zq9"}]"#),
        r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"(not kept)"}]"#
    );
    for frame in [
        r#"[2,"1","ChangeConfiguration",{"value":"zq9","key":"authorizationkey"}]"#,
        r#"[2,"1","ChangeConfiguration",{"KEY":"AUTHORIZATION_KEY","Value":"zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"Authorization\u004bey","value":"zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"WiFiPSK","value":"zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"GPRS.apn-password","value":"zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"SIM PIN","value":"9zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"ftpPass","value":"zq9"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"Uplink","value":"{\"ssid\":\"a\",\"password\":\"zq9\"}"}]"#,
        r#"[2,"1","ChangeConfiguration",{"key":"Uplink","value":"ssid=a;password=zq9;band=5"}]"#,
        r#"[3,"1",{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"60"},{"key":"AuthorizationKey","readonly":false,"value":"zq9"}]}]"#,
        r#"[2,"1","SetVariables",{"setVariableData":[{"component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"},"attributeValue":"zq9"}]}]"#,
        r#"[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"zq9","component":{"name":"Uplink"},"variable":{"name":"Value","instance":"wifiPassword"}}]}]"#,
        r#"[3,"1",{"getVariableResult":[{"attributeStatus":"Accepted","attributeValue":"zq9","component":{"name":"SecurityCtrlr"},"variable":{"name":"basicauthpassword"}}]}]"#,
        r#"[2,"1","NotifyReport",{"reportData":[{"component":{"name":"X"},"variable":{"name":"SimPin"},"variableAttribute":[{"type":"Actual","value":"zq9","mutability":"ReadWrite"}]}]}]"#,
        r#"[2,"1","NotifyReport",{"reportData":[{"component":{"name":"X"},"variable":{"name":"Plain"},"variableAttribute":[{"value":"zq9","mutability":"WriteOnly"}]}]}]"#,
        r#"[2,"1","NotifyEvent",{"eventData":[{"actualValue":"zq9","component":{"name":"X"},"variable":{"name":"VpnPassword"}}]}]"#,
    ] {
        gone(frame);
    }
    let told = gone(
        r#"[3,"1",{"configurationKey":[{"key":"HeartbeatInterval","value":"60"},{"key":"AuthorizationKey","value":"zq9"}]}]"#,
    );
    assert!(told.contains(r#""HeartbeatInterval","value":"60""#), "{told}");
}

#[test]
fn networks_and_what_makers_say() {
    let told = gone(
        r#"[2,"1","SetNetworkProfile",{"configurationSlot":1,"connectionData":{"ocppCsmsUrl":"wss://a.example/ocpp","basicAuthPassword":"zq9",
        "apn":{"apn":"internet","apnUserName":"u","apnPassword":"zq9","simPin":9999,"apnAuthentication":"PAP"},
        "vpn":{"server":"v","user":"u","password":"zq9","key":"zq9","type":"IKEv2"}}}]"#,
    );
    for left in
        ["wss://a.example/ocpp", r#""apn":"internet""#, r#""type":"IKEv2""#, r#""simPin":"(not kept)""#]
    {
        assert!(told.contains(left), "{told}");
    }
    for frame in [
        r#"[2,"1","DataTransfer",{"vendorId":"x","messageId":"SetWifiPassword","data":"zq9"}]"#,
        r#"[2,"1","DataTransfer",{"vendorId":"x","data":"{\"wifi\":{\"ssid\":\"a\",\"psk\":\"zq9\"}}"}]"#,
        r#"[2,"1","DataTransfer",{"vendorId":"x","data":{"list":[{"name":"adminPassword","value":"zq9"}]}}]"#,
        r#"[4,"1","FormationViolation","not a good password: zq9",{}]"#,
        r#"[2,"1","X",{"value":"zq9","key":"AuthorizationKey","value":"zq9"}]"#,
    ] {
        gone(frame);
    }
}

#[test]
fn passwords_in_addresses() {
    let firmware = |address: &str| {
        gone(&format!(
            r#"[2,"1","UpdateFirmware",{{"location":"{address}","retrieveDate":"2026-01-01T00:00:00Z"}}]"#
        ))
    };
    assert!(
        firmware("ftp://user:zq9@ftp.example.org:21/f.bin")
            .contains("ftp://user:(not kept)@ftp.example.org:21/f.bin")
    );
    assert!(firmware(r"ftp:\/\/user:zq9@h\/f").contains("ftp://user:(not kept)@h/f"));
    firmware("ftp://user:a/zq9@ftp.example.org/f.bin");
    firmware("ftp://user:a@zq9@ftp.example.org/f.bin");
    firmware("https://zq9@example.org/f.bin");
    assert!(
        firmware("https://b.example.org/f.bin?X-Amz-Date=2&X-Amz-Signature=zq9&part=1")
            .contains("f.bin?X-Amz-Date=2&X-Amz-Signature=(not kept)&part=1")
    );
    gone(
        r#"[2,"1","GetLog",{"log":{"remoteLocation":"sftp://u:zq9@h/up"},"logType":"DiagnosticsLog","requestId":1}]"#,
    );
    gone(
        r#"[2,"1","LogStatusNotification",{"status":"UploadFailure","tech":"530 at ftp://u:zq9@h/up refused"}]"#,
    );
}

#[test]
fn what_holds_no_secret_stays_letter_by_letter() {
    for frame in [
        r#"[2, "1",  "Heartbeat", {}]"#,
        r#"[2,"1","ChangeConfiguration", {"key":"HeartbeatInterval","value":"60"}]"#,
        r#"[2,"1","GetConfiguration", {"key":["AuthorizationKey"]}]"#,
        r#"[3,"1",{"configurationKey":[{"key":"AuthorizeRemoteTxRequests","value":"true"}],"unknownKey":["AuthorizationKey"]}]"#,
        r#"[2,"1","SetVariables",{"setVariableData":[{"component":{"name":"AuthCtrlr"},"variable":{"name":"MasterPassGroupId"},"attributeValue":"G1"}]}]"#,
        r#"[2,"1","Authorize",{"idToken":{"idToken":"1234","type":"KeyCode"}}]"#,
        r#"[2,"1","UpdateFirmware",{"location":"https://example.org:8443/a@b/f.bin?v=2", "retries":1}]"#,
        r#"[2,"1","UpdateFirmware",{"location":"ftp://anonymous@example.org/f.bin"}]"#,
        r#"[2,"1","GetLog",{"log":{"remoteLocation":"http://[2001:db8::1]:80/x"}}]"#,
        r#"[2,"1","BootNotification",{"chargePointVendor":"Pinn\u00e5cle", "chargePointModel":"P"}]"#,
        r#"[2,"1","MeterValues",{"signedMeterData":"T0NNRnx7fQ==pw","publicKey":"3059","encodingMethod":"OCMF"}]"#,
        r#"[2,"1","InstallCertificate",{"certificate":"-----BEGIN CERTIFICATE-----\nMIIpw="}]"#,
        "no json: æ",
        r#"[2,"1","Heartbeat",{"opinion":"#,
    ] {
        assert_eq!(blanked(frame), frame);
        assert!(!holds(frame), "{frame}");
    }
}

#[test]
fn what_is_no_json_is_not_kept_where_it_names_a_secret() {
    let mended =
        blanked(r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"zq9",}]"#).into_owned();
    assert!(!mended.contains("zq9") && mended.contains("ChangeConfiguration"), "{mended}");
    for frame in [
        r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"zq9"#,
        r#"[2,'1','ChangeConfiguration',{'key':'Authorization\u004bey','value':'zq9'}]"#,
        r#"[2,"1","UpdateFirmware",{"location":"ftp:\/\/u:zq9@h\/f""#,
    ] {
        let hidden = blanked(frame);
        assert!(!hidden.contains("zq9") && hidden.contains("(not kept"), "{hidden}");
    }
    let deep = format!(r#"{}{{"key":"AuthorizationKey","value":"zq9"}}{}"#, "[".repeat(200), "]".repeat(200));
    assert!(!blanked(&deep).contains("zq9"));
    let odd = r#"[2,"1","X",{"password":"zq9","x":"\ud800"}]"#;
    assert!(!blanked(odd).contains("zq9"));
}
