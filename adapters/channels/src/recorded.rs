//! Payloads that were recorded, where somebody has some.

/// Those in `$DMGATE_EXTRA_PAYLOADS` whose names begin with `prefix`: name and content.
pub(crate) fn payloads(prefix: &str) -> Vec<(String, String)> {
    let Some(folder) = std::env::var_os("DMGATE_EXTRA_PAYLOADS") else {
        // Past the test's own capture; `tests/all.sh` counts it.
        let told = format!("SKIPPED: no recorded payloads `{prefix}…`\n");
        let _ = std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes());
        return Vec::new();
    };
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<(String, String)> = files
        .map(|file| file.unwrap().path())
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path)))
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no payloads `{prefix}…` in {}", folder.display());
    found
}
