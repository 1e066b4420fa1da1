//! A webhook that misbehaves as the address says: `/plugins/rogue/loop`, `/plugins/rogue/memory`, ... For tests of a gateway that runs.

use takst_plugin_sdk::bindings::host::takst::plugin::host_log;
use takst_plugin_sdk::{Configuration, Error, Finding, Options, calls, kv};

struct Rogue;

impl Configuration for Rogue {
    fn check(_: Options) -> Vec<Finding> {
        Vec::new()
    }
}

fn deep(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { deep(n + 1) + room[3] }
}

fn answer(status: u16, body: &[u8]) -> calls::Answer {
    calls::Answer { status, headers: Vec::new(), body: body.to_vec(), events: Vec::new() }
}

impl calls::Guest for Rogue {
    fn receive(_: Options, call: calls::Call) -> Result<calls::Answer, Error> {
        match call.path.trim_start_matches('/') {
            "loop" => loop {
                std::hint::black_box(0);
            },
            "host-loop" => loop {
                kv::get("x");
            },
            "log-loop" => loop {
                host_log::write(host_log::Level::Error, &"x".repeat(5_000));
            },
            // Comes back, so that only the flood is its fault.
            "log-flood" => {
                for line in 0..10_000 {
                    host_log::write(host_log::Level::Error, &format!("{line} {}", "x".repeat(900)));
                }
                Ok(answer(200, b"flooded"))
            }
            // Comes back too, since only what a call that returned has written is kept.
            "kv-flood" => {
                let kept = (0..50_000).take_while(|number| kv::set(&format!("{number:x}"), b"").is_ok()).count();
                Ok(answer(200, kept.to_string().as_bytes()))
            }
            "kv-churn" => {
                for number in 0..500 {
                    let name = format!("{number:x}");
                    if kv::set(&name, b"").is_err() {
                        break;
                    }
                    kv::delete(&name);
                }
                Ok(answer(200, b"churned"))
            }
            "memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            "stack" => Ok(answer(200, deep(1).to_string().as_bytes())),
            "panic" => panic!("as the address says"),
            "huge" => Ok(answer(200, &vec![b'x'; 16 << 20])),
            "well" => Ok(answer(200, b"well")),
            _ => Ok(answer(404, b"")),
        }
    }
}

takst_plugin_sdk::plugin!(Rogue: calls);
