//! temp
use phoenix_store::*;
use std::time::Instant;
#[tokio::main]
async fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let durable = std::env::args().nth(2).unwrap() == "fsync";
    let creds = Credentials::generate();
    let mut c = StoreConfig::new(format!("{dir}/store"), "castle", creds.clone());
    c.durability = if durable { Durability::Fsync } else { Durability::Buffered };
    let s = StoreServer::start(c).await.unwrap();
    let t = Target {
        endpoint: s.endpoint(),
        region: "us-east-1".into(),
        bucket: "castle".into(),
        credentials: creds,
        ca_file: Some(s.ca_file().into()),
    };
    let i = Inspector::new(t).unwrap();
    let n = 64 * 1024 * 1024;
    let data: Vec<u8> = (0..n as u32).map(|x| (x.wrapping_mul(2654435761) >> 13) as u8).collect();
    let data = bytes::Bytes::from(data);
    i.put("warm", data.clone()).await.unwrap();
    let best = |v: &[f64]| {
        let mut v = v.to_vec();
        v.sort_by(f64::total_cmp);
        (v[0], v[v.len() / 2])
    };
    let (mut p, mut g, mut cp) = (vec![], vec![], vec![]);
    for k in 0..7 {
        let t0 = Instant::now();
        i.put(&format!("k{k}"), data.clone()).await.unwrap();
        p.push(t0.elapsed().as_secs_f64());
        let t0 = Instant::now();
        let b = i.get(&format!("k{k}")).await.unwrap();
        g.push(t0.elapsed().as_secs_f64());
        assert!(b == data);
        std::fs::write(format!("{dir}/src"), &data).unwrap();
        let t0 = Instant::now();
        std::fs::copy(format!("{dir}/src"), format!("{dir}/dst")).unwrap();
        if durable {
            std::fs::File::open(format!("{dir}/dst")).unwrap().sync_all().unwrap();
        }
        cp.push(t0.elapsed().as_secs_f64());
    }
    for (n, v) in [("put", &p), ("get", &g), ("cp", &cp)] {
        let (b, m) = best(v);
        println!("{n}: best {:.0} MiB/s median {:.0} MiB/s", 64.0 / b, 64.0 / m);
    }
    let t0 = Instant::now();
    for k in 0..500 {
        i.put(&format!("s{k}"), "small").await.unwrap();
    }
    println!("small put {:.2} ms", t0.elapsed().as_secs_f64() * 2.0);
    let t0 = Instant::now();
    for k in 0..500 {
        i.get(&format!("s{k}")).await.unwrap();
    }
    println!("small get {:.2} ms", t0.elapsed().as_secs_f64() * 2.0);
    let t0 = Instant::now();
    for _ in 0..50 {
        i.list("").await.unwrap();
    }
    println!("list {:.2} ms", t0.elapsed().as_secs_f64() * 20.0);
    s.shutdown().await;
}
