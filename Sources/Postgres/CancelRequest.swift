import CPostgres

/// What it takes to have the server stop what one connection runs (PostgreSQL documentation §34.7): a copy of its address
/// and key, so the connection may go meanwhile.
@safe final class CancelRequest: @unchecked Sendable {
    // libpq only reads it once it is made.
    private let pointer: OpaquePointer

    /// Nil when memory is out.
    init?(_ handle: Handle) {
        guard let pointer = unsafe PQgetCancel(handle.pointer) else { return nil }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe PQfreeCancel(pointer)
    }

    /// Opens a connection of its own to ask; blocks until the server has heard it, or cannot.
    func send() {
        // libpq asks for 256 bytes for the reason of a failure, which nobody can act on.
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
            _ = unsafe PQcancel(pointer, reason.baseAddress, 256)
        }
    }
}
