//! Defects that are planted in containers.

use crate::Containers;
use phoenix_core::{
    defect::{Act, Marks},
    detector::{Hearing, Testimony},
};
use phoenix_drill::{Sabotage, Work};

impl Sabotage for Containers {
    fn sabotage<'a>(&'a self, act: &'a Act, marks: &'a Marks) -> Work<'a, Vec<String>> {
        Box::pin(async move {
            let plant = self.plant()?;
            // whoever arms nothing has no proxy before the store
            let faults = if act.is_fault() { Some(self.store_faults().await?) } else { None };
            phoenix_repository::sabotage(&**plant, faults, act, marks).await
        })
    }

    fn heal(&self) -> Work<'_, Vec<String>> {
        Box::pin(async { Ok(self.armed().await.as_ref().map(phoenix_repository::heal).unwrap_or_default()) })
    }

    fn witnesses(&self, hearing: Hearing) -> Work<'_, Vec<Testimony>> {
        Box::pin(async move {
            let plant = self.plant()?;
            phoenix_repository::witnesses(&**plant, hearing).await
        })
    }
}
