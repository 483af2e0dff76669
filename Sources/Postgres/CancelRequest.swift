import CPostgres

/// What is needed to cancel a connection's statement (PostgreSQL documentation §34.7): a copy of the address and the
/// key, so the connection may be closed meanwhile.
@safe final class CancelRequest: @unchecked Sendable {
    // libpq only reads it after its creation.
    private let pointer: OpaquePointer

    /// Nil when memory is out.
    init?(_ handle: Handle) {
        guard let pointer = unsafe PQgetCancel(handle.pointer) else { return nil }
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe PQfreeCancel(pointer)
    }

    /// Opens a separate connection to send the request; blocks until the server has received it, or sending failed.
    func send() {
        // libpq requires a buffer of 256 bytes for a failure's reason, which has no use here.
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { reason in
            _ = unsafe PQcancel(pointer, reason.baseAddress, 256)
        }
    }
}
