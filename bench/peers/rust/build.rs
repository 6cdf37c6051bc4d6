//! Generates the gRPC service from the proto file that the Go side uses too, and
//! reads from Cargo.lock which versions of the libraries are built in.

use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = "../mlsclient";
    println!("cargo:rerun-if-changed={dir}/mls_client.proto");
    let files = protox::compile(["mls_client.proto"], [dir])?;
    tonic_prost_build::configure().compile_fds(files)?;

    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = fs::read_to_string("Cargo.lock")?;
    for (package, variable) in [("openmls", "OPENMLS_VERSION"), ("mls-rs", "MLS_RS_VERSION")] {
        let version = locked(&lock, package).ok_or(format!("Cargo.lock has no {package}"))?;
        println!("cargo:rustc-env={variable}={version}");
    }
    Ok(())
}

/// Finds the version of a package: its line follows that of the name.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|l| *l != name);
    lines
        .nth(1)?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}
