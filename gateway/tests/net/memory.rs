//! What an idle charger costs. Ignored: run with `cargo test --release -p takst-gateway --test net memory -- --ignored --nocapture`.

use crate::net_support::*;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const ADDRESS: &str = "TAKST_IDLE_ADDRESS";

// Kilobytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this needs Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement, not a check"]
fn memory_per_idle_connection() {
    let count: usize = std::env::var("TAKST_IDLE").map_or(6_000, |count| count.parse().unwrap());
    run(async {
        let bench = bench().await;
        for number in 0..count + 500 {
            bench.allow(&format!("C{number}"), |_| {});
        }
        // What is needed once is there before the first look.
        let warm = clients(&bench, count, 500);
        until("all are there", || bench.hub.connected() == 500).await;
        let before = resident();
        let crowd = clients(&bench, 0, count);
        until("all are there", || bench.hub.connected() == count + 500).await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let after = resident();
        let bytes = (after - before) * 1024 / u64::try_from(count).unwrap();
        println!(
            "{count} idle chargers that have booted: {bytes} bytes each ({before} kB before, {after} kB after)"
        );
        drop((warm, crowd));
    });
}

struct Crowd(std::process::Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

// Chargers in a process of their own, so that their memory is not counted.
fn clients(bench: &Bench, first: usize, count: usize) -> Crowd {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::the_chargers", "--ignored", "--nocapture"])
        .env(ADDRESS, format!("{} {first} {count}", bench.address))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("all connected")), "the chargers did not connect");
    Crowd(child)
}

#[test]
#[ignore = "the other half of the measurement"]
fn the_chargers() {
    let Ok(order) = std::env::var(ADDRESS) else { return };
    let mut words = order.split(' ');
    let address: SocketAddr = words.next().unwrap().parse().unwrap();
    let first: usize = words.next().unwrap().parse().unwrap();
    let count: usize = words.next().unwrap().parse().unwrap();
    let boot = br#"[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(boot.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(boot);
    let connect = |number: usize| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "GET /ocpp/C{number} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer[..read]));
        stream.write_all(&frame).unwrap();
        let read = stream.read(&mut answer).unwrap();
        assert!(read > 2);
        stream
    };
    let streams: Vec<_> = (first..first + count).map(connect).collect();
    println!("all connected");
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end).unwrap();
    drop(streams);
}
