//! temp
use phoenix_store::*;
#[tokio::main]
async fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let creds =
        Credentials { access_key: "KEY".into(), secret_key: phoenix_core::Secret::new("SECRETSECRET") };
    let mut c = StoreConfig::new(format!("{dir}/store"), "castle", creds);
    c.listen = "127.0.0.1:9443".parse().unwrap();
    c.ca_file = Some(format!("{dir}/ca.pem").into());
    c.access_log = Some(format!("{dir}/access.jsonl").into());
    let s = StoreServer::start(c).await.unwrap();
    if let Ok(p) = std::env::var("PLAN") {
        s.faults().arm_plan(serde_json::from_str(&p).unwrap()).unwrap();
    }
    println!("{}", s.endpoint());
    tokio::signal::ctrl_c().await.unwrap();
    for f in s.faults().evidence() {
        println!("{f:?}");
    }
    s.shutdown().await;
}
