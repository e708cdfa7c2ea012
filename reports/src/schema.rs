//! JSON schemas of the evidence, for whoever reads it without this crate.

use phoenix_core::{Entry, Report, report::SCHEMA};
use serde_json::{Value, json};

/// The schema of `report.json`. Only the version that this program writes is valid under it.
pub fn report_schema() -> Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    schema["properties"]["schema"] = json!({ "description": "The version of this format.", "const": SCHEMA });
    schema
}

/// The schema of one line of `ledger.jsonl`.
pub fn ledger_schema() -> Value {
    schemars::schema_for!(Entry).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use phoenix_core::{Digest, Moment, RowId};
    use uuid::Uuid;

    fn without(mut value: Value, field: &str) -> Value {
        assert!(value.as_object_mut().unwrap().remove(field).is_some(), "{field} was not there");
        value
    }

    #[test]
    fn reports_are_valid() {
        let validator = jsonschema::validator_for(&report_schema()).unwrap();
        let expected = sample::expected(sample::lossy(2));
        for report in [sample::valid(), sample::lossy(2), expected, sample::killed(), sample::layered()] {
            let value = serde_json::to_value(&report).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
    }

    #[test]
    fn a_report_without_a_field_or_of_another_version_is_not() {
        let validator = jsonschema::validator_for(&report_schema()).unwrap();
        let report = || serde_json::to_value(sample::valid()).unwrap();
        for field in ["schema", "run", "expected", "deeds", "spans", "total_seconds"] {
            assert!(!validator.is_valid(&without(report(), field)), "{field}");
        }
        let mut other = report();
        other["schema"] = json!("phoenix.report/2");
        assert!(!validator.is_valid(&other));
    }

    #[test]
    fn a_layer_has_its_times_and_needs_a_stage_that_there_is() {
        let validator = jsonschema::validator_for(&report_schema()).unwrap();
        let with = |layer: Value| {
            let mut report = serde_json::to_value(sample::layered()).unwrap();
            report["layers"][4] = layer;
            validator.is_valid(&report)
        };
        let engine = json!({
            "life": 1,
            "name": "engine",
            "needs": [{ "layer": "platform", "stage": "up" }],
            "start_seconds": 4.78,
            "up_seconds": 0.2,
            "ready_seconds": 6.0,
            "budget_seconds": 5.0,
        });
        assert_eq!(serde_json::to_value(&sample::layered().layers[4]).unwrap(), engine);
        for field in ["life", "name", "needs", "start_seconds", "up_seconds", "ready_seconds"] {
            assert!(!with(without(engine.clone(), field)), "{field}");
        }
        assert!(with(without(engine.clone(), "budget_seconds")));
        let mut unlimited = engine.clone();
        unlimited["budget_seconds"] = Value::Null;
        assert!(with(unlimited));
        let mut halfway = engine;
        halfway["needs"][0]["stage"] = json!("halfway");
        assert!(!with(halfway));
    }

    #[test]
    fn ledger_lines_are_valid_and_halves_are_not() {
        let validator = jsonschema::validator_for(&ledger_schema()).unwrap();
        let (row, digest) = (RowId(Uuid::from_u128(1)), Digest::of("run", "DATO_A"));
        let entry = Entry::Invoked { row, label: "DATO_A".into(), digest, life: 0, at: Moment(7) };
        let value = serde_json::to_value(&entry).unwrap();
        assert!(validator.is_valid(&value));
        assert!(!validator.is_valid(&without(value, "digest")));
    }
}
