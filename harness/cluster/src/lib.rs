//! The environment on Kubernetes: PostgreSQL by the Crunchy Postgres Operator, on a cluster that kind makes
//! or that is there, with an object store beside it. The program and the scenarios' tests use it. It may
//! touch only what it has entered in the register and what bears the run's label.

mod birth;
mod built_in;
mod castle;
mod coming_up;
mod command_layer;
mod config;
mod detour;
mod doctor;
mod evidence;
mod ground;
mod in_place;
mod kubernetes;
mod layers;
mod logs;
mod lookout;
mod manifests;
mod masked;
mod mistakes;
mod operator;
mod own;
mod plant;
mod platform;
mod postgrescluster;
mod preflight;
mod probe;
mod signs;
mod site;
mod sql;
mod sweep;
mod wipe;

pub use birth::Cluster;
pub use config::{
    ClusterConfig, CommandLayer, Images, Names, OperatorConfig, PlatformConfig, User, WipeKind,
};
pub use doctor::{Need, needs};
pub use sweep::Remover;
