import CLinux
import Glibc

/// An open descriptor and the duty to close it: it closes when its one owner goes.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number the kernel knows it by; valid while this value lives.
    public let number: Int32

    /// Takes over an open descriptor that nobody else will close.
    public init(owning number: Int32) {
        self.number = number
    }

    /// A second number for what `number` names, which stays its owner's.
    public init(duplicating number: Int32) throws(SystemError) {
        self.number = try blockingSystem("fcntl") { clinux_duplicate(number) }
    }

    deinit {
        // After EINTR Linux has closed it all the same, and no other error leaves anything to do.
        _ = Glibc.close(number)
    }

    /// Takes what a socket has, at most `buffer.count` bytes; 0 is the end of the stream. recv(2) takes a tenth less time than
    /// read(2), which looks after files as well.
    @inline(__always)
    public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Attempt<Int> {
        try system("recv") { unsafe Glibc.recv(number, buffer.baseAddress, buffer.count, 0) }
    }

    /// Writes what the kernel takes of `bytes` at once; raises no SIGPIPE.
    @inline(__always)
    public func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Attempt<Int> {
        try system("send") { unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// The same of a span.
    @inline(__always)
    public func send(_ bytes: Span<UInt8>) throws(SystemError) -> Attempt<Int> {
        // The kernel copies the bytes before the call returns.
        try unsafe bytes.withUnsafeBytes { (bytes) throws(SystemError) in try unsafe send(bytes) }
    }

    /// Bytes that were sent and that the peer's side has not acknowledged, the end of the stream counted as one. 0 when the
    /// connection is broken: nothing can arrive then.
    public var unacknowledgedByteCount: Int { Int(clinux_unacknowledged(number)) }

    /// Tells the peer that nothing more comes; reading goes on.
    public func shutdownWrite() {
        // ENOTCONN only says that the peer was faster.
        _ = Glibc.shutdown(number, Int32(SHUT_WR))
    }
}
