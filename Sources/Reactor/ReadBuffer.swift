/// The buffer into which one loop reads all its sockets. Its bytes are used or copied before the next read, so a connection that
/// waits holds no buffer.
@safe public final class ReadBuffer {
    /// What a read brought.
    public enum Received: ~Escapable {
        /// The bytes, which the next read overwrites.
        case bytes(Span<UInt8>)
        /// The end of the stream.
        case end
        /// Nothing yet: wait for readiness and try again.
        case wouldBlock
        case failed
    }

    private let storage: UnsafeMutableRawBufferPointer

    /// - Parameter byteCount: what one read takes at most.
    public init(byteCount: Int) {
        // Freed with the buffer, which no span of it outlives.
        unsafe storage = .allocate(byteCount: byteCount, alignment: 16)
    }

    deinit {
        unsafe storage.deallocate()
    }

    public var byteCount: Int { unsafe storage.count }

    /// Takes what a socket has.
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
