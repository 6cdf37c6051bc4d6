//! The command mls-peer.

use mls_peer::bench;
use mls_peer::library::Library;
use mls_peer::mlsrs::{self, MlsRs};
use mls_peer::openmls::{self, Memory, OpenMls};
use mls_peer::service::serve;
use mls_rs_crypto_awslc::AwsLcCryptoProvider;
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use openmls_libcrux_crypto::Provider as Libcrux;
use openmls_rust_crypto::OpenMlsRustCrypto;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;

const USAGE: &str = "\
mls-peer serves or measures an MLS library.

  mls-peer serve --impl NAME [--provider NAME] [--port N]
  mls-peer bench --impl NAME [--provider NAME] [--sizes N,N] [--budget-ms N]
                 [--full-max N] [--json]

  --impl      openmls or mls-rs
  --provider  openmls: rustcrypto or libcrux; mls-rs: awslc or rustcrypto;
              the first is the default
  --port      on the loopback interface; 0, the default, picks one
  --sizes     members of the groups to measure, 10,100,1000 if not given
  --budget-ms time for each operation of each size, 2000 if not given
  --full-max  the largest group to measure with a full tree, 1000 if not given
  --json      print JSON, one object a line
";

type Failure = Box<dyn Error>;

#[derive(Default)]
struct Args {
    command: String,
    library: String,
    provider: String,
    port: u16,
    sizes: Vec<usize>,
    budget_ms: u64,
    full_max: usize,
    json: bool,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, Failure> {
    let mut args = Args {
        command: words.next().ok_or(USAGE)?,
        sizes: vec![10, 100, 1000],
        budget_ms: 2000,
        full_max: 1000,
        ..Default::default()
    };
    while let Some(flag) = words.next() {
        if flag == "--json" {
            args.json = true;
            continue;
        }
        let value = words.next().ok_or(format!("{flag}: want a value"))?;
        let bad = |e: std::num::ParseIntError| format!("{flag} {value}: {e}");
        match flag.as_str() {
            "--impl" => args.library = value,
            "--provider" => args.provider = value,
            "--port" => args.port = value.parse().map_err(bad)?,
            "--budget-ms" => args.budget_ms = value.parse().map_err(bad)?,
            "--full-max" => args.full_max = value.parse().map_err(bad)?,
            "--sizes" => {
                let sizes = value.split(',').map(str::parse);
                args.sizes = sizes.collect::<Result<_, _>>().map_err(bad)?;
            }
            _ => return Err(format!("unknown flag {flag}\n\n{USAGE}").into()),
        }
    }
    Ok(args)
}

fn main() -> ExitCode {
    let done = parse(std::env::args().skip(1)).and_then(|args| run(&args));
    if let Err(e) = done {
        eprintln!("mls-peer: {e}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(args: &Args) -> Result<(), Failure> {
    // The runner looks a few epochs back; a measurement looks back none.
    let memory = match args.command.as_str() {
        "serve" => Memory {
            past_epochs: 32,
            resumption_psks: 32,
        },
        _ => Memory {
            past_epochs: 0,
            resumption_psks: 1,
        },
    };
    let version = match args.library.as_str() {
        "openmls" => openmls::VERSION,
        _ => mlsrs::VERSION,
    };
    match (args.library.as_str(), args.provider.as_str()) {
        ("openmls", "libcrux") => {
            dispatch(args, OpenMls::<Libcrux>::new("libcrux", memory), version)
        }
        ("openmls", "" | "rustcrypto") => dispatch(
            args,
            OpenMls::<OpenMlsRustCrypto>::new("RustCrypto", memory),
            version,
        ),
        ("mls-rs", "" | "awslc") => {
            dispatch(args, MlsRs::<AwsLcCryptoProvider>::new("AWS-LC"), version)
        }
        ("mls-rs", "rustcrypto") => dispatch(
            args,
            MlsRs::<RustCryptoProvider>::new("RustCrypto"),
            version,
        ),
        (library, provider) => {
            Err(format!("no --impl {library:?} with --provider {provider:?}\n\n{USAGE}").into())
        }
    }
}

fn dispatch<L: Library>(args: &Args, library: L, version: &str) -> Result<(), Failure> {
    match args.command.as_str() {
        "serve" => listen(args, library),
        "bench" => measure(args, library, version),
        other => Err(format!("unknown command {other}\n\n{USAGE}").into()),
    }
}

fn listen<L: Library>(args: &Args, library: L) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
        println!("listening on {}", listener.local_addr()?);
        std::io::stdout().flush()?;
        serve(library, listener).await?;
        Ok(())
    })
}

fn measure<L: Library>(args: &Args, mut library: L, version: &str) -> Result<(), Failure> {
    // OpenMLS spreads work over the threads of this pool; one core is one thread.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()?;
    let options = bench::Options {
        sizes: args.sizes.clone(),
        budget: Duration::from_millis(args.budget_ms),
        full_max: args.full_max,
    };
    let name = library.name();
    if !args.json {
        println!("{name}, suite 1, microseconds\n");
        println!(
            "{:<22}{:>7}{:>14}{:>14}{:>6}{:>10}",
            "op", "n", "min", "median", "reps", "bytes"
        );
    }
    bench::run(&mut library, &options, |l| {
        if args.json {
            let line = serde_json::json!({
                "impl": args.library,
                "version": version,
                "provider": name,
                "op": l.op,
                "n": l.n,
                "us_min": (l.us_min * 10.0).round() / 10.0,
                "us_median": (l.us_median * 10.0).round() / 10.0,
                "reps": l.reps,
                "bytes": l.bytes,
            });
            println!("{line}");
        } else {
            println!(
                "{:<22}{:>7}{:>14.1}{:>14.1}{:>6}{:>10}",
                l.op, l.n, l.us_min, l.us_median, l.reps, l.bytes
            );
        }
    })?;
    Ok(())
}
