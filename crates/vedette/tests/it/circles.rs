//! No file imports a file that imports it, directly or around others: in each crate data flows one way. A file and the module that it
//! is a part of (`reader/rtsp.rs` and `reader.rs`) are one: that a part takes what its whole defines is no import.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// A module's path within its crate.
type Module = Vec<String>;

/// The files of one crate by module, with the paths that each of them names.
#[derive(Default)]
struct Crate {
    files: BTreeMap<Module, PathBuf>,
    /// Names that a module takes in by `use`, with the path they stand for.
    aliases: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
    /// Paths that a module names, from the crate's root.
    named: BTreeMap<Module, BTreeSet<Vec<String>>>,
}

/// Collects the paths of one file; those of its tests do not count.
struct Paths<'a> {
    module: &'a Module,
    crates: &'a mut Crate,
}

impl Paths<'_> {
    /// From the crate's root; none for a path into another crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                base.pop();
            }
            first => {
                let mut child = base.clone();
                child.push(first.to_owned());
                let known = self.crates.aliases.get(&base).is_some_and(|names| names.contains_key(first));
                return (self.crates.files.contains_key(&child) || known).then(|| [&base[..], path].concat());
            }
        }
        rest = &rest[1..];
        while rest.first().is_some_and(|segment| segment == "super") {
            base.pop();
            rest = &rest[1..];
        }
        Some([&base[..], rest].concat())
    }

    fn note(&mut self, path: &[String]) {
        if let Some(path) = self.absolute(path) {
            self.crates.named.entry(self.module.clone()).or_default().insert(path);
        }
    }

    fn uses(&mut self, tree: &syn::UseTree, before: &[String], exported: bool) {
        let with = |name: String| [before, &[name][..]].concat();
        match tree {
            syn::UseTree::Path(path) => self.uses(&path.tree, &with(path.ident.to_string()), exported),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.uses(item, before, exported)),
            syn::UseTree::Glob(_) => self.note(before),
            syn::UseTree::Name(name) if name.ident == "self" => self.leaf(before, before.last().cloned(), exported),
            syn::UseTree::Name(name) => {
                self.leaf(&with(name.ident.to_string()), Some(name.ident.to_string()), exported)
            }
            syn::UseTree::Rename(name) => {
                self.leaf(&with(name.ident.to_string()), Some(name.rename.to_string()), exported);
            }
        }
    }

    fn leaf(&mut self, path: &[String], name: Option<String>, exported: bool) {
        if let (Some(path), Some(name)) = (self.absolute(path), name) {
            self.crates.aliases.entry(self.module.clone()).or_default().insert(name, path);
        }
        // A module that only hands on the names of its children does not import them.
        if !exported {
            self.note(path);
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            let exported = !matches!(item.vis, syn::Visibility::Inherited);
            self.uses(&item.tree, &[], exported);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.note(&segments);
        }
        syn::visit::visit_path(self, path);
    }
}

fn modules(folder: &Path, module: &Module, files: &mut BTreeMap<Module, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut child = module.clone();
        if path.is_dir() {
            child.push(stem);
            modules(&path, &child, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            if !["lib", "main", "mod"].contains(&stem.as_str()) {
                child.push(stem);
            }
            files.insert(child, path);
        }
    }
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut this = Self::default();
        modules(src, &Vec::new(), &mut this.files);
        // Twice: a path may begin with a name that a later line takes in.
        for _ in 0..2 {
            this.named.clear();
            for (module, path) in this.files.clone() {
                let file = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
                Paths { module: &module, crates: &mut this }.visit_file(&file);
            }
        }
        this
    }

    /// The file in which a path ends.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let mut module = Vec::new();
        for (index, segment) in path.iter().enumerate() {
            module.push(segment.clone());
            if self.files.contains_key(&module) {
                continue;
            }
            module.pop();
            let alias = self.aliases.get(&module).and_then(|names| names.get(segment));
            return match alias.filter(|alias| depth > 0 && alias[..] != path[..=index]) {
                Some(alias) => self.file_of(&[alias, &path[index + 1..]].concat(), depth - 1),
                None => self.files.contains_key(&module).then_some(module),
            };
        }
        Some(module)
    }

    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |module: &Module| {
            let named = self.named.get(module).into_iter().flatten();
            named.filter_map(|path| self.file_of(path, 8)).filter(|other| !module.starts_with(other)).collect()
        };
        self.files.keys().map(|module| (module, of(module))).collect()
    }

    /// The files of each circle.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let imports = self.imports();
        let reached = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&Module> = imports[from].iter().collect();
            while let Some(module) = next.pop() {
                if seen.insert(module) {
                    next.extend(imports.get(module).into_iter().flatten());
                }
            }
            seen
        };
        let all: BTreeMap<&Module, BTreeSet<&Module>> =
            imports.keys().map(|module| (*module, reached(module))).collect();
        let mut circles: Vec<BTreeSet<Module>> = Vec::new();
        for (module, reached) in all.iter().filter(|(module, reached)| reached.contains(**module)) {
            if !circles.iter().any(|circle| circle.contains(*module)) {
                let circle = reached.iter().filter(|other| all[*other].contains(*module));
                circles.push(circle.map(|other| (*other).clone()).collect());
            }
        }
        circles
    }
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut files, mut found) = (0, Vec::new());
    for entry in std::fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let read = Crate::read(&folder.join("src"));
        files += read.files.len();
        for circle in read.circles() {
            let names: Vec<String> = circle.iter().map(|module| format!("/{}", module.join("/"))).collect();
            found.push(format!("{}: {}", folder.file_name().unwrap().to_string_lossy(), names.join(", ")));
        }
    }
    assert!(files > 400, "only {files} files were read");
    found.sort();
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}

/// The test finds what it is for: two files in a circle around a third, one of them by a name that its parent hands on.
#[test]
fn a_planted_circle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("lib.rs", "mod a; mod b; mod c; pub use b::B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ("a.rs", "use crate::B; pub struct A;"),
        ("b.rs", "pub struct B; fn f() { let _ = crate::c::C; }"),
        ("c.rs", "use super::a::A; pub struct C; #[cfg(test)] mod tests { use crate::B; }"),
        ("d.rs", "use crate::a::A; use std::fmt;"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let read = Crate::read(folder.path());
    let circles = read.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].iter().map(|module| module.join("/")).collect::<Vec<_>>(), ["a", "b", "c"]);
}
