//! `spin:variables@3.0.0`: the variables of `[component.<id>.variables]`.

use wasmtime::component::Accessor;

use super::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use super::state::{Spin, SpinState};
use crate::manifest::check_name;

impl Host for SpinState {}

impl<T: Send> HostWithStore<T> for Spin {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        check_name(&name).map_err(Error::InvalidName)?;
        accessor.with(|mut access| {
            let component = &access.get().shared.component;
            let undefined = || Error::Undefined(format!("no variable for {:?}.{name:?}", component.id));
            component.variables.get(&name).cloned().ok_or_else(undefined)
        })
    }
}
