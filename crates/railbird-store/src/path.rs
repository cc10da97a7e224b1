//! Paths that never leave their root. Start at [`join_below`].

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use crate::Error;

/// `root` and `relative` joined, where `relative` comes from somebody whom nobody vouches for.
///
/// Refuses what is absolute, holds `..`, a backslash, a NUL or is empty, and what a symbolic link on the way leads out
/// of `root`. What does not exist yet is allowed below what does; `root` must exist. The answer has no links in
/// the part that exists.
///
/// The check holds for the moment at which it is made: whoever may write below `root` could still put a link there afterwards.
///
/// # Errors
/// [`Error::Outside`], [`Error::Io`].
pub fn join_below(root: &Path, relative: &str) -> Result<PathBuf, Error> {
    let outside =
        |reason| Error::Outside { root: root.to_path_buf(), relative: relative.chars().take(200).collect(), reason };
    if relative.is_empty() {
        return Err(outside("is empty"));
    }
    if relative.contains(['\0', '\\']) {
        return Err(outside("has a NUL or a backslash"));
    }
    let mut names = vec![];
    for component in Path::new(relative).components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(outside("has '..'")),
            Component::RootDir | Component::Prefix(_) => return Err(outside("is absolute")),
        }
    }
    let real_root = fs::canonicalize(root).map_err(Error::io(root, "resolve"))?;
    let mut path = real_root.clone();
    let mut names = names.into_iter();
    for name in names.by_ref() {
        let next = path.join(name);
        match fs::symlink_metadata(&next) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path = next;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(outside("leads through something that is no folder"));
            }
            Err(error) => return Err(Error::io(&next, "look at")(error)),
        }
        // A link that leads nowhere is refused with the rest: a file made through it would be elsewhere.
        path = fs::canonicalize(&next).map_err(Error::io(&next, "resolve"))?;
        if !path.starts_with(&real_root) {
            return Err(outside("leads out through a link"));
        }
    }
    path.extend(names);
    Ok(path)
}

/// `name` if it is one plain component.
pub(crate) fn plain_name(name: &str) -> Result<&str, Error> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name && !name.contains(['\0', '\\']) => Ok(name),
        _ => Err(Error::Name { name: name.chars().take(200).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// `<folder>/root` with files and links; `<folder>/secret` beside it.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("2025/race")).unwrap();
        fs::write(folder.path().join("secret"), "").unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink(folder.path(), root.join("out")).unwrap();
        symlink("../secret", root.join("2025/leak")).unwrap();
        symlink("2025/race", root.join("within")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        folder
    }

    #[track_caller]
    fn check(relative: &str, want: Expect) {
        let folder = folder();
        let real = fs::canonicalize(folder.path()).unwrap();
        let shown = match join_below(&folder.path().join("root"), relative) {
            Ok(path) => path.strip_prefix(&real).unwrap().display().to_string(),
            Err(error) => error.to_string().replace(folder.path().to_str().unwrap(), ""),
        };
        want.assert_eq(&shown);
    }

    #[test]
    fn stays_below_its_root() {
        check("2025/race", expect!["root/2025/race"]);
        check("./2025//race/", expect!["root/2025/race"]);
        check("2025/race/CarData.z.jsonStream", expect!["root/2025/race/CarData.z.jsonStream"]);
        check("new/folder/file", expect!["root/new/folder/file"]);
        check("within/file", expect!["root/2025/race/file"]);
        check("", expect![[r#""": is empty; expected a path below /root"#]]);
        check("..", expect![[r#""..": has '..'; expected a path below /root"#]]);
        check("2025/../../secret", expect![[r#""2025/../../secret": has '..'; expected a path below /root"#]]);
        check("/etc/passwd", expect![[r#""/etc/passwd": is absolute; expected a path below /root"#]]);
        check("..\\secret", expect![[r#""..\\secret": has a NUL or a backslash; expected a path below /root"#]]);
        check("a\0b", expect![[r#""a\0b": has a NUL or a backslash; expected a path below /root"#]]);
        check("out/secret", expect![[r#""out/secret": leads out through a link; expected a path below /root"#]]);
        check("out", expect![[r#""out": leads out through a link; expected a path below /root"#]]);
        check("2025/leak", expect!["/root/2025/leak: cannot resolve: No such file or directory (os error 2)"]);
        check(
            "file/below",
            expect![[r#""file/below": leads through something that is no folder; expected a path below /root"#]],
        );
        check("dangling", expect!["/root/dangling: cannot resolve: No such file or directory (os error 2)"]);
        check("loop/x", expect!["/root/loop: cannot resolve: Too many levels of symbolic links (os error 40)"]);
    }

    #[test]
    fn a_plain_name_is_one_component() {
        for name in ["manifest.json", "tmp-1-2", "ü", "..."] {
            assert!(plain_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "a/b", "/a", "a/", "./a", "a\\b", "a\0"] {
            assert!(plain_name(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_leads_out(relative in "(\\.\\.?|/|a|out|within|2025|leak|\\\\|file){0,8}") {
            let folder = folder();
            let root = folder.path().join("root");
            if let Ok(path) = join_below(&root, &relative) {
                let real_root = fs::canonicalize(&root).unwrap();
                prop_assert!(path.starts_with(&real_root));
                if let Ok(real) = fs::canonicalize(&path) { prop_assert!(real.starts_with(&real_root)); }
            }
        }
    }
}
