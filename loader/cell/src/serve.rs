//! Answers requests: binds symbols to prototypes and calls them through libffi, until the process is killed.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;

use libffi::low::CodePtr;
use libffi::middle::{Arg, Cif, Type as FfiType};
use libloading::os::unix::Library;

use crate::region::{CellRegion, Request};
use crate::wire::{Extent, FUNCTION_LIMIT, NULL_STRING, Operation, Prototype, RESULT_BYTES, Status, Type};

struct Function {
    code: CodePtr,
    cif: Cif,
    prototype: Prototype,
}

/// Serves requests after `last` for ever.
pub(crate) fn serve(region: &CellRegion, library: &Library, mut last: u32) -> ! {
    let mut functions: Vec<Function> = Vec::new();
    loop {
        let request = region.next(last);
        last = request.sequence;
        let answer = match request.operation {
            Some(Operation::Bind) => bind(region, library, &mut functions, &request),
            Some(Operation::Call) => functions
                .get(request.function as usize)
                .ok_or(Status::Malformed)
                .and_then(|function| call(region, function, &request)),
            Some(Operation::Map) | None => Err(Status::Malformed),
        };
        match answer {
            Ok(length) => region.reply(last, Status::Done, length),
            Err(status) => region.reply(last, status, 0),
        }
    }
}

fn bind(
    region: &CellRegion,
    library: &Library,
    functions: &mut Vec<Function>,
    request: &Request,
) -> Result<u32, Status> {
    if functions.len() >= FUNCTION_LIMIT as usize || request.length > region.message() {
        return Err(Status::Malformed);
    }
    let mut payload = vec![0; request.length as usize];
    region.read(0, &mut payload).ok_or(Status::Malformed)?;
    let (prototype, name) = Prototype::from_bytes(&payload).ok_or(Status::Malformed)?;
    let name = CString::new(name).map_err(|_| Status::Malformed)?;
    // SAFETY: the symbol is only turned into an address here; what it is gets decided by `call`.
    let symbol = unsafe { library.get::<*const std::ffi::c_void>(name.as_c_str()) }.map_err(|_| Status::NoSymbol)?;
    let address = NonNull::new(symbol.into_raw()).ok_or(Status::NoSymbol)?;
    let cif = Cif::new(prototype.parameters.iter().map(|ty| ffi_type(*ty)), ffi_type(prototype.result));
    let number = functions.len() as u32;
    functions.push(Function { code: CodePtr::from_ptr(address.as_ptr()), cif, prototype });
    region.write(0, &number.to_ne_bytes()).ok_or(Status::Malformed)?;
    Ok(size_of::<u32>() as u32)
}

fn ffi_type(ty: Type) -> FfiType {
    match ty {
        Type::Void => FfiType::void(),
        Type::U8 => FfiType::u8(),
        Type::I8 => FfiType::i8(),
        Type::U16 => FfiType::u16(),
        Type::I16 => FfiType::i16(),
        Type::U32 => FfiType::u32(),
        Type::I32 => FfiType::i32(),
        Type::U64 => FfiType::u64(),
        Type::I64 => FfiType::i64(),
        Type::F32 => FfiType::f32(),
        Type::F64 => FfiType::f64(),
        Type::Cstr | Type::In | Type::Out | Type::InOut => FfiType::pointer(),
    }
}

/// Calls a function with the arguments in the request. The result, and the buffers it fills, lie in the reply.
fn call(region: &CellRegion, function: &Function, request: &Request) -> Result<u32, Status> {
    let types = &function.prototype.parameters;
    let mut bytes = [0; Prototype::PARAMETERS * size_of::<u64>()];
    let slots = bytes.get_mut(..types.len() * size_of::<u64>()).ok_or(Status::Malformed)?;
    region.read(0, slots).ok_or(Status::Malformed)?;

    // One register-wide value per parameter; libffi reads as much of each as its type says, from its low end.
    let mut values = [0_u64; Prototype::PARAMETERS];
    // The reply ends where the last buffer of it ends.
    let mut end = RESULT_BYTES as u32;
    for ((value, slot), ty) in values.iter_mut().zip(slots.chunks_exact(size_of::<u64>())).zip(types) {
        let mut word = [0; size_of::<u64>()];
        word.copy_from_slice(slot);
        let word = u64::from_ne_bytes(word);
        *value = match ty {
            Type::Cstr | Type::In => address(region.request_at(offset(word), length(word)))?,
            Type::Out | Type::InOut => {
                let place = address(region.reply_at(offset(word), length(word)))?;
                end = end.max(offset(word).saturating_add(length(word)));
                fill(region, *ty, Extent::from_slot(word))?;
                place
            }
            _ => word,
        };
    }
    if request.length > region.message() {
        return Err(Status::Malformed);
    }

    let mut arguments: Vec<Arg<'_>> = Vec::with_capacity(types.len());
    arguments.extend(values.iter().take(types.len()).map(Arg::new));
    match function.prototype.result {
        Type::Void => {
            // SAFETY: as below.
            unsafe { function.cif.call::<()>(function.code, &arguments) };
            put_result(region, 0)?;
        }
        Type::F32 => {
            // SAFETY: as below.
            let result: f32 = unsafe { function.cif.call(function.code, &arguments) };
            put_result(region, result.to_bits().into())?;
        }
        Type::F64 => {
            // SAFETY: as below.
            let result: f64 = unsafe { function.cif.call(function.code, &arguments) };
            put_result(region, result.to_bits())?;
        }
        Type::Cstr => {
            // SAFETY: as below.
            let result: usize = unsafe { function.cif.call(function.code, &arguments) };
            return put_string(region, result, end);
        }
        _ => {
            // SAFETY: the interface was built for as many arguments as are passed, each at least as wide as its type.
            // That the symbol is a function of this type is the caller's claim; where it is not, this process breaks,
            // and the host treats whatever it does as hostile.
            let result: u64 = unsafe { function.cif.call(function.code, &arguments) };
            put_result(region, result)?;
        }
    }
    Ok(end)
}

fn offset(slot: u64) -> u32 {
    Extent::from_slot(slot).offset
}

fn length(slot: u64) -> u32 {
    Extent::from_slot(slot).length
}

fn address(place: Option<NonNull<u8>>) -> Result<u64, Status> {
    place.map(|place| place.as_ptr() as u64).ok_or(Status::Malformed)
}

/// Gives a buffer of the reply its first content: the request's, or zeros in place of an earlier call's.
fn fill(region: &CellRegion, ty: Type, extent: Extent) -> Result<(), Status> {
    const PIECE: usize = 4096;
    let mut piece = [0; PIECE];
    let mut done = 0;
    while done < extent.length {
        let take = (extent.length - done).min(PIECE as u32);
        let part = piece.get_mut(..take as usize).ok_or(Status::Malformed)?;
        let from = extent.offset.checked_add(done).ok_or(Status::Malformed)?;
        if ty == Type::InOut {
            region.read(from, part).ok_or(Status::Malformed)?;
        }
        region.write(from, part).ok_or(Status::Malformed)?;
        done += take;
    }
    Ok(())
}

fn put_result(region: &CellRegion, result: u64) -> Result<(), Status> {
    region.write(0, &result.to_ne_bytes()).ok_or(Status::Malformed)
}

/// Copies a returned string behind the buffers of the reply, with its extent after the result.
fn put_string(region: &CellRegion, string: usize, end: u32) -> Result<u32, Status> {
    let none = Extent { offset: end, length: NULL_STRING };
    let (extent, end) = if string == 0 {
        (none, end)
    } else {
        // SAFETY: the prototype says that the function returns a string; where it does not, this process breaks.
        let bytes = unsafe { CStr::from_ptr(string as *const _) }.to_bytes();
        let length = u32::try_from(bytes.len()).map_err(|_| Status::TooLong)?;
        region.write(end, bytes).ok_or(Status::TooLong)?;
        (Extent { offset: end, length }, end.saturating_add(length))
    };
    put_result(region, string as u64)?;
    region.write(size_of::<u64>() as u32, &extent.to_slot().to_ne_bytes()).ok_or(Status::Malformed)?;
    Ok(end)
}
