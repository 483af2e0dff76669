import CLinux
import Glibc

/// An open file descriptor. Its only owner closes it by going out of scope.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The descriptor's number; valid while this value exists.
    public let number: Int32

    /// Takes ownership of an open descriptor.
    public init(owning number: Int32) {
        self.number = number
    }

    /// A duplicate of `number`, whose owner keeps it open.
    public init(duplicating number: Int32) throws(SystemError) {
        self.number = try blockingSystem("fcntl") { clinux_duplicate(number) }
    }

    deinit {
        // On Linux the descriptor is closed even after EINTR, and no other error can be handled here.
        _ = Glibc.close(number)
    }

    /// Receives at most `buffer.count` bytes from a socket; 0 is the end of the stream. Uses recv(2), which is faster
    /// than read(2) on a socket.
    @inline(__always)
    public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Attempt<Int> {
        try system("recv") { unsafe Glibc.recv(number, buffer.baseAddress, buffer.count, 0) }
    }

    /// Sends as many bytes as the kernel accepts at once; raises no SIGPIPE.
    @inline(__always)
    public func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Attempt<Int> {
        try system("send") { unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// As above, for a span.
    @inline(__always)
    public func send(_ bytes: Span<UInt8>) throws(SystemError) -> Attempt<Int> {
        // The kernel copies the bytes before the call returns.
        try unsafe bytes.withUnsafeBytes { (bytes) throws(SystemError) in try unsafe send(bytes) }
    }

    /// Bytes sent but not acknowledged by the peer; the end of the stream counts as one. 0 when the connection is
    /// broken, because nothing can arrive then.
    public var unacknowledgedByteCount: Int { Int(clinux_unacknowledged(number)) }

    /// Shuts down the write side; reading remains possible.
    public func shutdownWrite() {
        // ENOTCONN means that the peer has disconnected already.
        _ = Glibc.shutdown(number, Int32(SHUT_WR))
    }
}
