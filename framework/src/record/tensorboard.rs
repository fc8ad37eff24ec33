//! TensorBoard event files: scalars that `tensorboard --logdir` shows.
//!
//! Holds the file format and nothing of what is recorded. The format, from TensorFlow's `record_writer.cc` and
//! `event.proto`: a file is a sequence of TFRecords, each the data's length (u64), the masked CRC32C of these 8 bytes
//! (u32), the data, and its masked CRC32C (u32), all little-endian. The data is a protocol buffer, `Event`, of which this
//! writes the fields
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
//! Summary { repeated Value value = 1 }
//! Value   { string tag = 1; float simple_value = 2 }
//! ```

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// What a writer keeps before it appends it to its file of its own accord, in bytes.
const BUFFER: usize = 1 << 16;

/// One event file. What was written last is in the file after [`Self::flush`]. Between times the file is closed: a run has one
/// for every seed of every entry, more than most systems let a process keep open.
pub struct EventWriter {
    path: PathBuf,
    buffer: Vec<u8>,
}

impl EventWriter {
    /// Creates a new event file in `dir`, which is created where it is missing. Its name has the time, host, process and
    /// a count, so that no two writers share a file; TensorBoard shows the files of one folder as one run, in the order
    /// of their names.
    ///
    /// # Errors
    /// When the folder or the file cannot be created or written; the text names it.
    pub fn create(dir: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let (host, process, count) = (host(), process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // TensorBoard knows its files by the word `tfevents`, and TensorFlow 2 ends their names in `.v2`.
        let path = dir.join(format!("events.out.tfevents.{now:010.0}.{host}.{process}.{count}.v2"));
        fs::create_dir_all(dir).map_err(|error| named("create the folder", dir, &error))?;
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.map_err(|error| named("create the event file", &path, &error))?;
        let mut writer = Self { path, buffer: Vec::new() };
        writer.record(&Event { wall_time: now, step: 0, what: What::FileVersion }.encoded())?;
        Ok(writer)
    }

    /// Appends a value of the curve `tag` (such as `gpi/seed 3/sampled_return`; slashes group the curves) at `step`, at
    /// `wall_time` seconds since 1970. NaN and infinity are shown as such.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: i64, value: f32, wall_time: f64) -> io::Result<()> {
        self.record(&Event { wall_time, step, what: What::Scalar { tag, value } }.encoded())
    }

    /// Appends everything written so far to the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written =
            OpenOptions::new().append(true).open(&self.path).and_then(|mut file| file.write_all(&self.buffer));
        written.map_err(|error| named("write the event file", &self.path, &error))?;
        self.buffer.clear();
        Ok(())
    }

    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        self.buffer.extend(framed(data));
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }
}

struct Event<'a> {
    wall_time: f64,
    step: i64,
    what: What<'a>,
}

enum What<'a> {
    /// Opens every file.
    FileVersion,
    Scalar {
        tag: &'a str,
        value: f32,
    },
}

// Types of protocol buffer fields on the wire.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH_AND_BYTES: u8 = 2;
const FOUR_BYTES: u8 = 5;

impl Event<'_> {
    fn encoded(&self) -> Vec<u8> {
        let mut event = vec![1 << 3 | EIGHT_BYTES];
        event.extend(self.wall_time.to_le_bytes());
        // A protocol buffer leaves out fields that are 0. Negative numbers take ten bytes, as their u64.
        if self.step != 0 {
            event.push(2 << 3 | VARINT);
            varint(&mut event, self.step as u64);
        }
        match self.what {
            What::FileVersion => bytes(&mut event, 3, b"brain.Event:2"),
            What::Scalar { tag, value } => {
                let mut item = Vec::new();
                bytes(&mut item, 1, tag.as_bytes());
                item.push(2 << 3 | FOUR_BYTES);
                item.extend(value.to_le_bytes());
                let mut summary = Vec::new();
                bytes(&mut summary, 1, &item);
                bytes(&mut event, 5, &summary);
            }
        }
        event
    }
}

fn bytes(message: &mut Vec<u8>, field: u8, content: &[u8]) {
    message.push(field << 3 | LENGTH_AND_BYTES);
    varint(message, content.len() as u64);
    message.extend(content);
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
}

/// TFRecord's checksum, masked because a checksum of data that has checksums in it is weak.
fn masked_crc(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8).to_le_bytes()
}

/// The machine's name, without what does not belong in a file name.
fn host() -> String {
    let name = fs::read_to_string("/etc/hostname").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn named(doing: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("could not {doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Made once with TensorBoard's own writer (tensorboard 2.21.0, protobuf 7.36.2):
    ///
    /// ```python
    /// import io
    /// from tensorboard.compat.proto import event_pb2, summary_pb2
    /// from tensorboard.summary.writer.record_writer import RecordWriter
    ///
    /// def record(event):
    ///     out = io.BytesIO()
    ///     RecordWriter(out).write(event.SerializeToString())
    ///     return out.getvalue().hex()
    ///
    /// def scalar(tag, step, value, wall_time):
    ///     value = summary_pb2.Summary.Value(tag=tag, simple_value=value)
    ///     return event_pb2.Event(wall_time=wall_time, step=step, summary=summary_pb2.Summary(value=[value]))
    ///
    /// print(record(event_pb2.Event(wall_time=1769850300.25, file_version="brain.Event:2")))
    /// print(record(scalar("gpi/seed 3/sampled_return", 123456789, -1.5, 1769850301.5)))
    /// print(record(scalar("é" * 100, 0, 0.0, 0.5)))
    /// print(record(scalar("a", -1, float("inf"), 1e9)))
    /// ```
    const REFERENCE: [&str; 4] = [
        "1800000000000000a37f4b22090000106f715fda411a0d627261696e2e4576656e743a32072311a0",
        "3200000000000000241956ec090000606f715fda4110959aef3a2a220a200a196770692f7365656420332f73616d706c6564\
         5f72657475726e150000c0bf3122ca1c",
        "df000000000000005327f07109000000000000e03f2ad3010ad0010ac801c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9\
         c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9\
         c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9\
         c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9\
         c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9c3a9150000000053c3e9a4",
        "200000000000000029eda950090000000065cdcd4110ffffffffffffffffff012a0a0a080a0161150000807f9506f70f",
    ];

    #[test]
    fn records_are_those_of_tensorboards_own_writer() {
        let hex =
            |event: Event<'_>| framed(&event.encoded()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let scalar =
            |tag: &str, step, value, wall_time| hex(Event { wall_time, step, what: What::Scalar { tag, value } });
        assert_eq!(hex(Event { wall_time: 1769850300.25, step: 0, what: What::FileVersion }), REFERENCE[0]);
        assert_eq!(scalar("gpi/seed 3/sampled_return", 123_456_789, -1.5, 1769850301.5), REFERENCE[1]);
        // A message longer than 127 bytes, and a step of 0, which is left out.
        assert_eq!(scalar(&"é".repeat(100), 0, 0.0, 0.5), REFERENCE[2]);
        assert_eq!(scalar("a", -1, f32::INFINITY, 1e9), REFERENCE[3]);
    }

    #[test]
    fn every_writer_has_its_own_file_which_opens_with_the_version() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/folder");
        let mut writers = [EventWriter::create(&folder).unwrap(), EventWriter::create(&folder).unwrap()];
        assert_ne!(&writers[0].path, &writers[1].path);
        writers[0].flush().unwrap();
        let written = fs::read(&writers[0].path).unwrap();
        assert!(written.windows(13).any(|part| part == b"brain.Event:2"));
        assert!(writers[0].path.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let message = EventWriter::create(&file.join("below")).err().unwrap().to_string();
        assert!(message.contains("could not create the folder") && message.contains("below"), "{message}");
    }

    #[test]
    fn tensorboard_reads_back_what_was_written() {
        let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
        let importable = python(&["-c", "import tensorboard"]);
        if !importable.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: `python3 -c 'import tensorboard'` fails; to run this test, `pip install tensorboard`");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path()).unwrap();
        for step in 0..300 {
            writer.scalar("gpi/return", step * 25, step as f32 / 8.0, 1e9 + step as f64 / 4.0).unwrap();
        }
        writer.scalar("ddpg/return", 1 << 40, f32::NEG_INFINITY, 2e9).unwrap();
        writer.flush().unwrap();
        let script = "import sys\n\
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
            events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})\n\
            events.Reload()\n\
            print(events.file_version)\n\
            for tag in sorted(events.Tags()['scalars']):\n    \
                for event in events.Scalars(tag): print(tag, event.step, event.value, event.wall_time)\n";
        let output = python(&["-c", script, dir.path().to_str().unwrap()]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut expected = vec!["2.0".to_owned(), format!("ddpg/return {} -inf 2000000000.0", 1_u64 << 40)];
        for step in 0..300 {
            let (value, time) = (f64::from(step) / 8.0, 1e9 + f64::from(step) / 4.0);
            expected.push(format!("gpi/return {} {value:?} {time:?}", step * 25));
        }
        let output = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.lines().collect::<Vec<_>>(), expected);
    }
}
