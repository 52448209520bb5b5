//! Files as a chart, from loading to rendering. They come in one text: a line `-- NAME --` begins a file.

use std::rc::Rc;

use chart_operator::chart::{Chart, File, load};
use chart_operator::render::{Capabilities, Compiled, Inputs, KubeVersion, Operation, ReleaseInfo, Rendered, render};
use chart_operator::values;
use serde_json::json;

use crate::targets::archive::gzip;
use crate::targets::evaluate::{Nowhere, limits};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = files(text);
    let Ok(chart) = load::from_files(files.clone()) else { return };
    check_packed(&files, &chart);
    // Chart after chart is rendered by one thread: no secret of chance or order.
    assert_eq!(outcome(&chart), outcome(&chart), "the same twice");
}

fn files(text: &str) -> Vec<File> {
    let mut files: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let name = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((name, String::new())),
            (None, Some((_, content))) => content.push_str(line),
            (None, None) => {}
        }
    }
    files.into_iter().map(|(name, content)| File::new(name, content.into_bytes())).collect()
}

/// Packed and unpacked it is the same chart, where all names are what a packer writes.
fn check_packed(files: &[File], chart: &Chart) {
    let plain = |name: &str| {
        name.len() < 80
            && !name.contains(['\\', ':', '\0'])
            && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    if !files.iter().all(|file| plain(&file.name) && !file.data.starts_with(b"\xEF\xBB\xBF")) {
        return;
    }
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.data.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("demo/{}", file.name), &*file.data).unwrap();
    }
    let packed = load::from_archive(&gzip(&tar.into_inner().unwrap()));
    assert_eq!(packed.ok().as_ref(), Some(chart), "packed and unpacked it is the same");
}

fn outcome(chart: &Chart) -> Result<Rendered, String> {
    let processed = values::process(chart, &json!({"a": {"b": null}, "tags": {"t": true}}), "v1.33.0");
    let processed = processed.map_err(|error| error.to_string())?;
    let release =
        ReleaseInfo { name: "rel".to_owned(), namespace: "ns".to_owned(), revision: 1, operation: Operation::Install };
    let inputs = Inputs {
        values: &processed.values,
        release: &release,
        capabilities: &Capabilities::assumed(KubeVersion::parse("v1.33.0").unwrap()),
        context: None,
        limits: limits(),
    };
    let compiled = Compiled::new(&processed.chart).map_err(|error| error.to_string())?;
    render(&compiled, inputs, Rc::new(Nowhere)).map_err(|error| error.to_string())
}
