//! The configuration file: TOML into nodes that know their lines.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::node::{Node, Origin, Table, Value};

/// The longest configuration file, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a configuration file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Table>, ConfigError> {
    let trouble =
        |error: &dyn std::fmt::Display| ConfigError::general(format!("{}: {error}", path.display()));
    let meta = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Not the same as no file: somebody meant another policy than the default one.
            let leads_nowhere = std::fs::symlink_metadata(path).is_ok();
            return if leads_nowhere { Err(trouble(&"is a link that leads nowhere")) } else { Ok(None) };
        }
        Err(error) => return Err(trouble(&error)),
        Ok(meta) => meta,
    };
    if !meta.is_file() {
        return Err(trouble(&"is not a file; name the configuration with --config"));
    }
    // From here on it is the opened file that is looked at, whatever the path leads to meanwhile.
    let file = File::open(path).map_err(|error| trouble(&error))?;
    let meta = file.metadata().map_err(|error| trouble(&error))?;
    refuse_strangers(path, &meta).map_err(|why| trouble(&why))?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| trouble(&error))?;
    if text.len() as u64 > LONGEST {
        return Err(trouble(&"is larger than 1 MiB; a configuration is a page or two"));
    }
    parse(&text, path).map(Some)
}

/// What others wrote, or may write, does not say who is in.
// INVARIANT I7: a file that others may write, or that is neither ours nor the directory's owner's, is not trusted.
#[cfg(unix)]
fn refuse_strangers(path: &Path, meta: &std::fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    if meta.mode() & 0o022 != 0 {
        return Err(format!("others may write it; run `chmod go-w {}`", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owners = [0, rustix::process::geteuid().as_raw()];
    let is_trusted =
        owners.contains(&meta.uid()) || std::fs::metadata(folder).is_ok_and(|f| f.uid() == meta.uid());
    if is_trusted {
        Ok(())
    } else {
        Err(format!("it belongs to another user; run `chown $(id -u) {}`", path.display()))
    }
}

#[cfg(not(unix))]
fn refuse_strangers(_path: &Path, _meta: &std::fs::Metadata) -> Result<(), String> {
    Ok(())
}

/// Parses the text of a configuration file.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Table, ConfigError> {
    let lines = Lines { starts: line_starts(text), path: path.into() };
    match DeTable::parse(text) {
        Ok(table) => Ok(lines.table(table.get_ref())),
        Err(error) => {
            let origin = lines.origin(error.span().map_or(0, |span| span.start));
            Err(ConfigError::at(&origin, one_line(error.message())))
        }
    }
}

/// Parses a list as TOML writes it: for values from the environment.
pub(crate) fn parse_list(text: &str, origin: &Origin) -> Result<Vec<Node>, ConfigError> {
    let whole = DeValue::parse(text);
    let array = whole.as_ref().ok().and_then(|value| value.get_ref().as_array());
    let array = array.ok_or_else(|| ConfigError::at(origin, "is not a list; write [\"a\", \"b\"] or a,b"))?;
    let lines = Lines { starts: vec![0], path: Path::new("").into() };
    let nodes = array.iter().map(|value| Node { value: lines.value(value), origin: origin.clone() });
    Ok(nodes.collect())
}

/// Where the lines of a file begin.
struct Lines {
    starts: Vec<usize>,
    path: Arc<Path>,
}

impl Lines {
    fn origin(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        Origin::File { path: Arc::clone(&self.path), line }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let nodes = table.iter().map(|(key, value)| {
            let node = Node { value: self.value(value), origin: self.origin(key.span().start) };
            (key.get_ref().to_string(), node)
        });
        nodes.collect()
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Foreign("a number without end"), |number| Value::Whole(number.to_string())),
            DeValue::Float(_) => Value::Foreign("a fraction"),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Datetime(_) => Value::Foreign("a date"),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Node { value: self.value(item), origin: self.origin(item.span().start) })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
