//! What stands between the server and the operating system: power cuts, full disks, failing syncs, clock
//! jumps. A small library in C, compiled when it is first needed and loaded before the server's own code.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("shim.c");
/// `ENOSPC` and `EIO` of Linux.
pub(crate) const NO_SPACE: i32 = 28;
pub(crate) const IO_ERROR: i32 = 5;

/// The shim of one server, told what to do through a page that both see.
#[derive(Debug)]
pub(crate) struct Shim {
    library: PathBuf,
    data: PathBuf,
    shadow: PathBuf,
    page: PathBuf,
    control: File,
}

impl Shim {
    /// Compiles it into `directory`. `data` is the server's data directory.
    pub(crate) fn build(directory: &Path, data: &Path) -> Result<Self, String> {
        let (source, library) = (directory.join("shim.c"), directory.join("shim.so"));
        let (shadow, page) = (directory.join("shadow"), directory.join("control"));
        fs::write(&source, SOURCE).map_err(|error| error.to_string())?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .map_err(|error| format!("cc cannot be run, install a C compiler: {error}"))?;
        if !compiled.status.success() {
            return Err(format!("cc: {}", String::from_utf8_lossy(&compiled.stderr)));
        }
        fs::create_dir_all(&shadow).map_err(|error| error.to_string())?;
        fs::write(&page, [0; 4096]).map_err(|error| error.to_string())?;
        let control = File::options().write(true).open(&page).map_err(|error| error.to_string())?;
        Ok(Self { library, data: data.to_owned(), shadow, page, control })
    }

    /// What the server's environment needs.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![
            ("LD_PRELOAD".into(), text(&self.library)),
            ("CHAOS_DATA".into(), text(&self.data)),
            ("CHAOS_SHADOW".into(), text(&self.shadow)),
            ("CHAOS_CONTROL".into(), text(&self.page)),
        ]
    }

    /// Moves the server's wall clock this far from the real one.
    pub(crate) fn set_clock_offset_ms(&self, offset: i64) -> Result<(), String> {
        self.write(&offset.to_ne_bytes(), 0)
    }

    /// Every write of a data file fails with this error; 0: none does.
    pub(crate) fn fail_writes(&self, errno: i32) -> Result<(), String> {
        self.write(&errno.to_ne_bytes(), 8)
    }

    /// Every sync of a data file fails with this error; 0: none does.
    pub(crate) fn fail_syncs(&self, errno: i32) -> Result<(), String> {
        self.write(&errno.to_ne_bytes(), 12)
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), String> {
        self.control.write_all_at(bytes, at).map_err(|error| error.to_string())
    }

    /// Leaves in the data directory what was synced and nothing else. The server must be dead.
    pub(crate) fn cut_power(&self) -> Result<(), String> {
        match fs::remove_dir_all(&self.data) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        fs::create_dir_all(&self.data).map_err(|error| error.to_string())?;
        for entry in fs::read_dir(&self.shadow).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            fs::copy(entry.path(), self.data.join(entry.file_name()))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
