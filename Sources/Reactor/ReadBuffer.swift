/// The buffer into which a loop reads all its sockets. The bytes are used or copied before the next read, so a waiting
/// connection needs no buffer.
@safe public final class ReadBuffer {
    /// The result of a read.
    public enum Received: ~Escapable {
        /// The bytes; overwritten by the next read.
        case bytes(Span<UInt8>)
        /// The end of the stream.
        case end
        /// No data: wait for readiness and try again.
        case wouldBlock
        case failed
    }

    private let storage: UnsafeMutableRawBufferPointer

    /// - Parameter byteCount: maximum bytes per read.
    public init(byteCount: Int) {
        // Freed with this object, which every span of the storage depends on.
        unsafe storage = .allocate(byteCount: byteCount, alignment: 16)
    }

    deinit {
        unsafe storage.deallocate()
    }

    public var byteCount: Int { unsafe storage.count }

    /// Reads a socket once.
    @inline(__always)
    @_lifetime(borrow self)
    public func receive(from socket: borrowing FileDescriptor) -> Received {
        guard let attempt = try? unsafe socket.receive(into: storage) else { return .failed }
        switch attempt {
        case .done(0): return .end
        case .done(let count):
            let bytes = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: storage[..<count]))
            return unsafe .bytes(_overrideLifetime(bytes, borrowing: self))
        case .wouldBlock: return .wouldBlock
        }
    }
}
