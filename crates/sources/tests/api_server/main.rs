//! A real API server, with etcd behind it and nothing else: the definitions of our kinds, and a site that is followed through its
//! outages. The programs are those of the test cluster.

mod definitions;
mod relist;
mod roles;
mod server;
mod site;
