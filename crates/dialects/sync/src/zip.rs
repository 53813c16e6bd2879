//! An archive of stored (not compressed) files: the ZIP format of PKWARE's APPNOTE 6.3, §4.3. The names are
//! UTF-8.

/// In little endian, one after another.
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }
}

/// Version 2.0 of the format is needed to unpack.
const VERSION: u16 = 20;
/// Bit 11: the name is in UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, the first day that the format knows: an archive of the same files is the same.
const DATE: u16 = (1 << 5) | 1;

/// Packs files; `None` when there are too many or they are too large for the format without its extensions.
pub(crate) fn stored(files: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let (mut archive, mut directory) = (Bytes(Vec::new()), Bytes(Vec::new()));
    for (name, content) in files {
        let offset = u32::try_from(archive.0.len()).ok()?;
        let common = common(name, content)?;
        archive.u32(0x0403_4b50).0.extend(&common);
        archive.0.extend(name.as_bytes());
        archive.0.extend(content);
        directory.u32(0x0201_4b50).u16(VERSION).0.extend(&common);
        // No comment, the first disk, no attributes.
        directory.u16(0).u16(0).u16(0).u32(0).u32(offset);
        directory.0.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).ok()?;
    let (begin, size) =
        (u32::try_from(archive.0.len()).ok()?, u32::try_from(directory.0.len()).ok()?);
    archive.0.append(&mut directory.0);
    archive.u32(0x0605_4b50).u16(0).u16(0).u16(count).u16(count).u32(size).u32(begin).u16(0);
    u32::try_from(archive.0.len()).ok().map(|_| archive.0)
}

/// The part of a file's two headers that is the same in both.
fn common(name: &str, content: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(content.len()).ok()?;
    let mut header = Bytes(Vec::new());
    header.u16(VERSION).u16(FLAGS).u16(0).u16(0).u16(DATE);
    header.u32(crc32fast::hash(content)).u32(size).u32(size);
    header.u16(u16::try_from(name.len()).ok()?).u16(0);
    Some(header.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_its_headers_where_the_format_wants_them() {
        let files = [("a.txt".to_owned(), b"hello".to_vec()), ("é".to_owned(), Vec::new())];
        let archive = stored(&files).unwrap();
        assert!(archive.starts_with(b"PK\x03\x04"));
        assert_eq!(&archive[30..40], b"a.txthello");
        let end = archive.len() - 22;
        assert!(archive[end..].starts_with(b"PK\x05\x06"));
        let number =
            |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
        let (size, begin) = (number(end + 12), number(end + 16));
        assert_eq!(begin + size, end);
        assert!(archive[begin..].starts_with(b"PK\x01\x02"));
        assert_eq!(number(begin + 16) as u32, crc32fast::hash(b"hello"));
        assert_eq!(&archive[begin + 46..begin + 51], b"a.txt");
        assert_eq!(stored(&[]).unwrap().len(), 22);
    }
}
