//! Bytes as a packaged chart: as they are, or, since chance makes no checksums, as a tar archive that is put right first.

use std::io::Write as _;

use chart_operator::chart::load;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The size of a tar archive's blocks.
const BLOCK: usize = 512;

pub(crate) fn run(data: &[u8]) {
    check(data);
    let mut tar = data.to_vec();
    put_right(&mut tar);
    check(&gzip(&tar));
}

fn check(archive: &[u8]) {
    let Ok(chart) = load::from_archive(archive) else { return };
    assert!(!chart.raw.is_empty(), "a chart has files");
    for file in chart.raw.iter() {
        let leaves = file.name.starts_with('/') || file.name.split('/').any(|part| part == "..");
        assert!(!leaves, "{} leaves the chart", file.name);
    }
    let again = load::from_files(chart.raw.to_vec()).unwrap_or_else(|error| panic!("{error}: packed it is a chart"));
    assert_eq!(again, chart, "the files of a chart are the chart");
}

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Writes the checksum of every header, as far as the sizes in them lead from one to the next.
fn put_right(tar: &mut Vec<u8>) {
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = std::str::from_utf8(&header[124..136]).unwrap_or_default();
        let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        let Some(next) = size.checked_next_multiple_of(BLOCK).and_then(|size| at.checked_add(BLOCK + size)) else {
            break;
        };
        at = next;
    }
}
