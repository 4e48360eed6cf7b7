//! A code signature's hashes: each page of the file has one, and macOS ends a program whose page has another.
//! The layout is that of Apple's `cs_blobs.h`; all numbers are big-endian.

use sha1::Sha1;
use sha2::{Digest, Sha256};

const SUPER_BLOB: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;
const CMS_SIGNATURE: u32 = 0xfade_0b01;

/// The flag of a signature that only holds hashes and names no signer.
const AD_HOC: u32 = 2;

/// A signature whose hashes are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The program's name for itself.
    pub identifier: String,
    pub is_ad_hoc: bool,
    pub pages: usize,
}

/// Reads the signature at that offset and of that size, and compares its hashes with the file's pages. The error is what
/// is wrong with it.
pub fn read(data: &[u8], (offset, size): (u32, u32)) -> Result<Signature, String> {
    let (start, end) = (offset as usize, offset as usize + size as usize);
    let blob = data.get(start..end).ok_or("the signature lies beyond the end of the file")?;
    if number(blob, 0)? != SUPER_BLOB {
        return Err("the signature has another form than Apple's".to_owned());
    }
    let (mut signature, mut has_signer) = (None, false);
    for index in 0..number(blob, 8)? as usize {
        let at = number(blob, 16 + 8 * index)? as usize;
        let part = blob.get(at..).ok_or("a part of the signature lies beyond its end")?;
        match number(part, 0)? {
            CODE_DIRECTORY => signature = Some(directory(data.get(..start).unwrap_or(data), part)?),
            CMS_SIGNATURE => has_signer |= number(part, 4)? > 8,
            _ => {}
        }
    }
    let signature = signature.ok_or("the signature holds no hashes")?;
    if !signature.is_ad_hoc && !has_signer {
        return Err("the signature names no signer and is not ad hoc".to_owned());
    }
    Ok(signature)
}

/// Compares a code directory's hashes with what lies before the signature.
fn directory(signed: &[u8], part: &[u8]) -> Result<Signature, String> {
    let [flags, hashes, name] = [number(part, 12)?, number(part, 16)?, number(part, 20)?];
    let [count, limit] = [number(part, 28)? as usize, number(part, 32)? as usize];
    let [hash_size, hash_type, _, page_bits] = number(part, 36)?.to_be_bytes();
    if limit != signed.len() {
        return Err(format!("{} bytes are signed, and {limit} of them are hashed", signed.len()));
    }
    let page = 1_usize.checked_shl(page_bits.into()).filter(|_| page_bits > 0).ok_or("its pages have no size")?;
    if signed.len().div_ceil(page) != count {
        return Err(format!("{count} hashes for {} pages", signed.len().div_ceil(page)));
    }
    let digest: fn(&[u8]) -> Vec<u8> = match hash_type {
        1 => |page| Sha1::digest(page).to_vec(),
        2 => |page| Sha256::digest(page).to_vec(),
        other => return Err(format!("its hashes are of the unknown kind {other}")),
    };
    let hashes = part.get(hashes as usize..).unwrap_or_default().chunks_exact(usize::from(hash_size).max(1));
    let wrong =
        signed.chunks(page).zip(hashes.chain(std::iter::repeat(&[][..]))).filter(|(page, hash)| digest(page) != *hash);
    match wrong.count() {
        0 => {}
        wrong => return Err(format!("{wrong} of {count} pages have another hash than the signature says")),
    }
    let identifier = part.get(name as usize..).unwrap_or_default();
    let identifier = identifier.split(|byte| *byte == 0).next().unwrap_or_default();
    let identifier = String::from_utf8_lossy(identifier).into_owned();
    Ok(Signature { identifier, is_ad_hoc: flags & AD_HOC != 0, pages: count })
}

fn number(data: &[u8], at: usize) -> Result<u32, String> {
    let bytes = at.checked_add(4).and_then(|end| data.get(at..end)).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_be_bytes).ok_or_else(|| "the signature is cut off".to_owned())
}
