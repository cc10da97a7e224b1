//! Whether a file is a sound LMDB file, found by reading it, without mapping it. Start at [`check`].
//!
//! LMDB believes what it maps: a page number or an offset that was changed on the disk leads it out of the file, and the process dies.
//! So the file is walked first, page by page: every number that LMDB would follow is checked, and every page is reached at most
//! once. Layout: `mdb.c` of LMDB 0.9, data version 1, 64 bits, little-endian.

use std::{fs::File, os::unix::fs::FileExt};

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const OVERFLOW: u16 = 4;
const META: u16 = 8;
const BIG_DATA: u16 = 1;
const INTEGER_KEYS: u16 = 8;
/// Root of a tree without pages.
const NONE: u64 = u64::MAX;
/// 256 GiB of pages of 4 KiB: far above any cache, far below what would make the table of pages large.
const PAGES_MAX: u64 = 1 << 26;
const DEPTH_MAX: u16 = 32;

/// What LMDB would follow is sound; else what is wrong, in a few words.
pub(super) fn check(file: &File) -> Result<(), String> {
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    let first = read(file, 0, 152)?;
    let page_bytes = u32_at(&first, 40) as usize;
    if u32_at(&first, 16) != MAGIC || u32_at(&first, 20) != VERSION {
        return Err("no LMDB file".to_owned());
    }
    if !page_bytes.is_power_of_two() || !(512..=32_768).contains(&page_bytes) || bytes < 2 * page_bytes as u64 {
        return Err(format!("pages of {page_bytes} bytes"));
    }
    let second = read(file, page_bytes as u64, 152)?;
    let metas = [Meta::of(&first, page_bytes)?, Meta::of(&second, page_bytes)?];
    let newest = if metas[0].transaction >= metas[1].transaction { &metas[0] } else { &metas[1] };
    let mut walk = Walk { file, page_bytes, last: newest.last, seen: vec![0; newest.last as usize / 64 + 1] };
    walk.tree(&newest.free, true)?;
    walk.tree(&newest.main, false)
}

/// A page that says where the trees are.
struct Meta {
    free: Tree,
    main: Tree,
    last: u64,
    transaction: u64,
}

struct Tree {
    flags: u16,
    depth: u16,
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
    root: u64,
}

impl Meta {
    fn of(page: &[u8], page_bytes: usize) -> Result<Self, String> {
        let meta = Self {
            free: Tree::of(&page[40..88]),
            main: Tree::of(&page[88..136]),
            last: u64_at(page, 136),
            transaction: u64_at(page, 144),
        };
        let sound = u16_at(page, 10) == META
            && u32_at(page, 16) == MAGIC
            && u32_at(page, 20) == VERSION
            && u64_at(page, 24) == 0
            && u64_at(page, 32) <= PAGES_MAX * 4096
            && u32_at(page, 40) as usize == page_bytes
            && u32_at(page, 88) == 0
            && (1..PAGES_MAX).contains(&meta.last)
            && meta.free.flags == INTEGER_KEYS
            && meta.main.flags == 0;
        if sound { Ok(meta) } else { Err("a first page that says impossible things".to_owned()) }
    }
}

impl Tree {
    fn of(bytes: &[u8]) -> Self {
        Self {
            flags: u16_at(bytes, 4),
            depth: u16_at(bytes, 6),
            branches: u64_at(bytes, 8),
            leaves: u64_at(bytes, 16),
            overflows: u64_at(bytes, 24),
            entries: u64_at(bytes, 32),
            root: u64_at(bytes, 40),
        }
    }
}

struct Walk<'a> {
    file: &'a File,
    page_bytes: usize,
    /// Last page in use.
    last: u64,
    /// One bit a page: reached.
    seen: Vec<u64>,
}

/// What a tree was found to hold.
#[derive(Default)]
struct Counted {
    branches: u64,
    leaves: u64,
    overflows: u64,
    entries: u64,
    /// Key before.
    before: Option<Vec<u8>>,
}

impl Walk<'_> {
    fn tree(&mut self, tree: &Tree, is_free: bool) -> Result<(), String> {
        let mut counted = Counted::default();
        if tree.root != NONE {
            if !(1..=DEPTH_MAX).contains(&tree.depth) {
                return Err(format!("a tree of depth {}", tree.depth));
            }
            self.page(tree.root, tree.depth, is_free, &mut counted)?;
        }
        let told = [tree.branches, tree.leaves, tree.overflows, tree.entries];
        if told == [counted.branches, counted.leaves, counted.overflows, counted.entries] {
            Ok(())
        } else {
            Err("a tree that does not hold what it says".to_owned())
        }
    }

    fn page(&mut self, number: u64, depth: u16, is_free: bool, counted: &mut Counted) -> Result<(), String> {
        self.reach(number)?;
        let page = read(self.file, number * self.page_bytes as u64, self.page_bytes)?;
        let wrong = |what: &str| Err(format!("page {number}: {what}"));
        let kind = if depth == 1 { LEAF } else { BRANCH };
        if u64_at(&page, 0) != number || u16_at(&page, 8) != 0 || u16_at(&page, 10) != kind {
            return wrong("another page was expected there");
        }
        let (lower, upper) = (usize::from(u16_at(&page, 12)), usize::from(u16_at(&page, 14)));
        if lower <= PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > self.page_bytes {
            return wrong("impossible bounds");
        }
        if depth == 1 {
            counted.leaves += 1;
        } else {
            counted.branches += 1;
        }
        for (place, pointer) in (PAGE_HEADER..lower).step_by(2).enumerate() {
            let node = usize::from(u16_at(&page, pointer));
            if node < upper || node % 2 != 0 || node + NODE_HEADER > self.page_bytes {
                return wrong("an entry outside of it");
            }
            let (low, high, flags) = (u16_at(&page, node), u16_at(&page, node + 2), u16_at(&page, node + 4));
            let key = node + NODE_HEADER;
            let data = key + usize::from(u16_at(&page, node + 6));
            if data > self.page_bytes {
                return wrong("a key that leaves it");
            }
            let size = u32::from(low) | u32::from(high) << 16;
            if depth > 1 {
                // Of a branch's first entry the key is never read.
                if place > 0 && counted.before.as_deref().is_some_and(|before| before >= &page[key..data]) {
                    return wrong("keys out of order");
                }
                self.page(u64::from(size) | u64::from(flags) << 32, depth - 1, is_free, counted)?;
                continue;
            }
            let mut ordered = page[key..data].to_vec();
            if is_free {
                // Numbers, in the order of the machine.
                if ordered.len() != 8 {
                    return wrong("a list of free pages without its number");
                }
                ordered.reverse();
            }
            if ordered.is_empty() || counted.before.as_ref().is_some_and(|before| *before >= ordered) {
                return wrong("keys out of order");
            }
            counted.before = Some(ordered);
            counted.entries += 1;
            let size = size as usize;
            match flags {
                0 if data + size <= self.page_bytes => {
                    if is_free {
                        self.free_pages(&page[data..data + size])?;
                    }
                }
                BIG_DATA if data + 8 <= self.page_bytes => {
                    let content = self.overflow(u64_at(&page, data), size, is_free, counted)?;
                    if is_free {
                        self.free_pages(&content)?;
                    }
                }
                _ => return wrong("a value of another kind, or one that leaves it"),
            }
        }
        Ok(())
    }

    /// Pages that hold one long value; its bytes if `wanted`.
    fn overflow(&mut self, number: u64, size: usize, wanted: bool, counted: &mut Counted) -> Result<Vec<u8>, String> {
        let pages = ((PAGE_HEADER - 1 + size) / self.page_bytes + 1) as u64;
        for page in number..number.saturating_add(pages) {
            self.reach(page)?;
        }
        let start = number * self.page_bytes as u64;
        let header = read(self.file, start, PAGE_HEADER)?;
        // The last byte is there, and so are all before it.
        read(self.file, start + (PAGE_HEADER + size).saturating_sub(1) as u64, 1)?;
        if u64_at(&header, 0) != number || u16_at(&header, 10) != OVERFLOW || u64::from(u32_at(&header, 12)) != pages {
            return Err(format!("page {number}: another page was expected there"));
        }
        counted.overflows += pages;
        if wanted { read(self.file, start + PAGE_HEADER as u64, size) } else { Ok(Vec::new()) }
    }

    /// A list of free pages: how many, then their numbers, descending.
    fn free_pages(&mut self, list: &[u8]) -> Result<(), String> {
        let wrong = || "a list of free pages that is none".to_owned();
        if list.len() < 8 || !list.len().is_multiple_of(8) {
            return Err(wrong());
        }
        let count = usize::try_from(u64_at(list, 0)).map_err(|_| wrong())?;
        let numbers = list[8..].get(..count.checked_mul(8).ok_or_else(wrong)?).ok_or_else(wrong)?;
        let mut before = u64::MAX;
        for number in numbers.chunks_exact(8).map(|bytes| u64_at(bytes, 0)) {
            if number >= before {
                return Err(wrong());
            }
            before = number;
            self.reach(number)?;
        }
        Ok(())
    }

    /// Notes that a page is used: by one thing only.
    fn reach(&mut self, number: u64) -> Result<(), String> {
        if number < 2 || number > self.last {
            return Err(format!("page {number} of {}", self.last));
        }
        let (word, bit) = (number as usize / 64, 1u64 << (number % 64));
        if self.seen[word] & bit != 0 {
            return Err(format!("page {number} is used twice"));
        }
        self.seen[word] |= bit;
        Ok(())
    }
}

fn read(file: &File, offset: u64, bytes: usize) -> Result<Vec<u8>, String> {
    let mut buffer = vec![0; bytes];
    file.read_exact_at(&mut buffer, offset).map_err(|_| "ends early".to_owned())?;
    Ok(buffer)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) | u16::from(bytes[at + 1]) << 8
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
