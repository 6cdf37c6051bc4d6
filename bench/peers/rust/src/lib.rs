//! Two MLS libraries behind one interface: served over gRPC as the MLS interop
//! client interface, so that another implementation can be run against them, and
//! measured. See README.md.

pub mod bench;
pub mod library;
pub mod mlsrs;
pub mod openmls;
pub mod service;

/// The calls of bench/peers/mlsclient/mls_client.proto.
pub mod proto {
    #![allow(clippy::all)]
    tonic::include_proto!("mls_client");
}
