//! What the last stage of a Dockerfile says, laid over the image it begins with: `ENV`, `COPY`, `WORKDIR`, `USER`, `LABEL`,
//! `ENTRYPOINT` and `CMD` as Docker's reference of Dockerfiles describes them. Anything else is refused: nothing is run.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::image::oci::{Config, Image};
use crate::image::tree::Tree;

/// Lays the last stage of `text` over `image`. Its `FROM` is not looked at: that is `image`. What is copied lies in `context`.
///
/// # Errors
/// An instruction is not known, or copies what is not there. The message names the line.
pub fn lay(text: &str, context: &Path, image: &mut Image) -> Result<()> {
    let all = instructions(text);
    let from = all.iter().rposition(|(_, word, _)| word == "FROM").context("the Dockerfile has no `FROM`")?;
    for (line, word, rest) in all.iter().skip(from + 1) {
        let rest = expand(rest, &image.config);
        follow(word, &rest, context, image)
            .with_context(|| format!("line {line} of the Dockerfile: `{word} {rest}`"))?;
    }
    Ok(())
}

fn follow(word: &str, rest: &str, context: &Path, image: &mut Image) -> Result<()> {
    let config = &mut image.config;
    match word {
        "ENV" => pairs(rest).into_iter().for_each(|(name, value)| config.set_variable(&name, &value)),
        "LABEL" => config.labels.extend(pairs(rest)),
        "USER" => rest.clone_into(&mut config.user),
        "ENTRYPOINT" => {
            config.entrypoint = serde_json::from_str(rest).context("expected a list of strings as JSON")?;
            // A new entrypoint leaves the arguments of the old one behind.
            config.cmd.clear();
        }
        "CMD" => config.cmd = serde_json::from_str(rest).context("expected a list of strings as JSON")?,
        "WORKDIR" => {
            config.working_dir = absolute(&config.working_dir, rest);
            let folder = Tree::default().folder(&config.working_dir);
            image.add(&folder, &format!("WORKDIR {rest}"))?;
        }
        "COPY" => {
            let tree = copied(rest, context, &config.working_dir)?;
            image.add(&tree, &format!("COPY {rest}"))?;
        }
        _ => bail!("expected one of ENV, COPY, WORKDIR, USER, LABEL, ENTRYPOINT, CMD"),
    }
    Ok(())
}

/// What `COPY` copies: files into a folder or to a name, of folders what is in them.
fn copied(rest: &str, context: &Path, working_dir: &str) -> Result<Tree> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [sources @ .., target] = words.as_slice() else { bail!("expected a source and a target") };
    if sources.is_empty() || words.iter().any(|word| word.starts_with("--") || word.contains(['*', '?', '['])) {
        bail!("expected sources and a target, without options and patterns");
    }
    let (into, mut tree) = (target.ends_with('/') || sources.len() > 1, Tree::default());
    for source in sources {
        let from = context.join(source.trim_start_matches('/'));
        let mut path = absolute(working_dir, target);
        if into && !from.is_dir() {
            let name = from.file_name().context("expected a file's name")?;
            path = format!("{path}/{}", name.to_string_lossy());
        }
        tree = tree.copy(&path, &from)?;
    }
    Ok(tree)
}

/// The instructions with the numbers of their lines; comments left out, continued lines joined.
fn instructions(text: &str) -> Vec<(usize, String, String)> {
    let (mut found, mut open) = (Vec::new(), None::<(usize, String)>);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        let (first, mut whole) = open.take().unwrap_or((at + 1, String::new()));
        whole.push_str(part);
        if goes_on {
            open = Some((first, whole));
        } else {
            let (word, rest) = whole.split_once(char::is_whitespace).unwrap_or((&whole, ""));
            found.push((first, word.to_uppercase(), rest.trim().to_owned()));
        }
    }
    found
}

/// `A=b C="d e"`, or the old form `A b`.
fn pairs(rest: &str) -> Vec<(String, String)> {
    if !rest.split_whitespace().next().is_some_and(|first| first.contains('=')) {
        let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(name.to_owned(), value.trim().to_owned())];
    }
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in rest.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => words.last_mut().into_iter().for_each(|word| word.push(c)),
        }
    }
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// `$NAME` and `${NAME}`, of the image's variables.
fn expand(text: &str, config: &Config) -> String {
    let mut parts = text.split('$');
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let braced = part.strip_prefix('{').and_then(|part| part.split_once('}'));
        let (name, rest) = braced.unwrap_or_else(|| {
            part.split_at(part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len()))
        });
        done.push_str(config.variable(name).unwrap_or_default());
        done.push_str(rest);
    }
    done
}

fn absolute(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    format!("/{}", whole.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::guard::Folder;
    use crate::image::dockerfile::{expand, instructions, lay, pairs};
    use crate::image::oci::{Config, Image};

    #[test]
    fn lines_are_joined_and_comments_left_out() {
        let text = "# a\nFROM x AS y\n\nenv A=1 \\\n  # in between\n  B=2\nCOPY a b\n";
        let want = [(2, "FROM", "x AS y"), (4, "ENV", "A=1 B=2"), (7, "COPY", "a b")];
        assert_eq!(instructions(text), want.map(|(line, word, rest)| (line, word.to_owned(), rest.to_owned())));
    }

    #[test]
    fn variables_are_set_in_both_forms_and_expanded() {
        assert_eq!(pairs("HOME=/opt/helm"), [("HOME".to_owned(), "/opt/helm".to_owned())]);
        assert_eq!(pairs("A b c"), [("A".to_owned(), "b c".to_owned())]);
        assert_eq!(pairs("A=\"b c\" D=e").len(), 2);
        let config = Config { env: vec!["HOME=/opt/helm".to_owned()], ..Config::default() };
        assert_eq!(expand("${HOME}/a $HOME/b $NONE.", &config), "/opt/helm/a /opt/helm/b .");
    }

    #[test]
    fn files_folders_and_settings_of_the_last_stage_are_laid_over() {
        let folder = Folder::new("dockerfile-").unwrap();
        fs::create_dir_all(folder.path().join("charts/a")).unwrap();
        for file in ["one", "two", "charts/a/Chart.yaml"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        let mut image = Image::scratch(Config { cmd: vec!["old".to_owned()], ..Config::default() });
        let text = "FROM rust AS build\nRUN make\nFROM scratch\nENV HOME=/opt/helm\nCOPY one ${HOME}/1\nWORKDIR ${HOME}\n\
            COPY charts charts\nCOPY one two in/\nUSER 1001\nENTRYPOINT [\"/a\", \"b\"]\n";
        lay(text, folder.path(), &mut image).unwrap();
        let mut files = Vec::new();
        for layer in image.layers() {
            for entry in tar::Archive::new(layer).entries().unwrap() {
                files.push(entry.unwrap().path().unwrap().to_string_lossy().into_owned());
            }
        }
        files.retain(|file| !file.ends_with('/'));
        assert_eq!(files, ["opt/helm/1", "opt/helm/charts/a/Chart.yaml", "opt/helm/in/one", "opt/helm/in/two"]);
        assert_eq!(image.config.working_dir, "/opt/helm");
        assert_eq!((image.config.user.as_str(), image.config.cmd.len()), ("1001", 0));
        for (text, want) in [("FROM a\nRUN x\n", "line 2"), ("COPY a b\n", "FROM"), ("FROM a\nCOPY no b\n", "line 2")] {
            let error = lay(text, folder.path(), &mut image).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
