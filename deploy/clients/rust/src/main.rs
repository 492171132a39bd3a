//! Drives rust_socketio's client; see kinds.py.
//!
//! It sends and receives either JSON values or one piece of bytes, never both in one event, and no bytes with an ack.
use std::collections::HashMap;
use std::io::{stdin, BufRead};
use std::time::Duration;

use base64::{engine::general_purpose::STANDARD, Engine};
use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{json, Value};

const ACK_TIMEOUT: Duration = Duration::from_secs(10);

fn values_of(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Binary(bytes) => vec![json!({ "base64": STANDARD.encode(bytes) })],
        Payload::Text(values) => values,
        #[allow(deprecated)]
        Payload::String(text) => vec![json!(text)],
    }
}

/// Returns the arguments of an ack, which come as one list.
fn answered_by(payload: Payload) -> Value {
    match values_of(payload).as_slice() {
        [Value::Array(values)] => json!(values),
        values => json!(values),
    }
}

fn payload_of(values: &Value) -> Payload {
    let values = values.as_array().expect("args is a list");
    match values.as_slice() {
        [only] if only["base64"].is_string() => {
            Payload::from(STANDARD.decode(only["base64"].as_str().unwrap()).expect("base64"))
        }
        _ => Payload::from(values.clone()),
    }
}

fn open(asked: &Value) -> Result<Client, rust_socketio::Error> {
    let name = asked["client"].clone();
    let transports: Vec<&str> =
        asked["options"]["transports"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let transport = match transports.as_slice() {
        ["polling"] => TransportType::Polling,
        ["websocket"] => TransportType::Websocket,
        _ => TransportType::Any,
    };
    let mut builder = ClientBuilder::new(asked["url"].as_str().unwrap())
        .transport_type(transport)
        .reconnect_on_disconnect(true)
        .reconnect_delay(100, 500);
    if asked["options"]["auth"].is_object() {
        builder = builder.auth(asked["options"]["auth"].clone());
    }
    let happened = move |what: &str, args: Vec<Value>| {
        println!("{}", json!({ "client": name, "happened": what, "args": args }));
    };
    let (opened, closed, failed) = (happened.clone(), happened.clone(), happened.clone());
    builder
        .on(Event::Connect, move |_, _| opened("connect", vec![]))
        .on(Event::Close, move |payload, _| closed("disconnect", values_of(payload)))
        .on(Event::Error, move |payload, _| failed("connect_error", values_of(payload)))
        .on_any(move |event, payload, _| {
            let mut args = vec![json!(event.as_str())];
            args.extend(values_of(payload));
            happened("event", args);
        })
        .connect()
}

fn main() {
    let mut clients: HashMap<String, Client> = HashMap::new();
    for line in stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let id = asked["id"].clone();
        let name = asked["client"].as_str().unwrap().to_owned();
        let event = asked["event"].as_str().unwrap_or_default();
        let done = match asked["op"].as_str().unwrap() {
            "open" => open(&asked).map(|client| {
                clients.insert(name, client);
            }),
            "emit" => {
                let answered = id.clone();
                let emitted = clients[&name].emit_with_ack(
                    event,
                    payload_of(&asked["args"]),
                    ACK_TIMEOUT,
                    move |payload, _| println!("{}", json!({ "id": answered, "ok": answered_by(payload) })),
                );
                if emitted.is_ok() {
                    continue;
                }
                emitted
            }
            "send" => clients[&name].emit(event, payload_of(&asked["args"])),
            _ => clients[&name].disconnect(),
        };
        match done {
            Ok(()) => println!("{}", json!({ "id": id, "ok": null })),
            Err(error) => println!("{}", json!({ "id": id, "error": error.to_string() })),
        }
    }
    std::process::exit(0);
}
