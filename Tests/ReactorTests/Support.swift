import CLinux
import CScheduler
import Glibc
import Platform
import Reactor
import Synchronization

/// Runs `body` with a separate loop, which is stopped afterwards.
func withLoop<Value>(_ body: (EventLoop) async throws -> Value) async throws -> Value {
    let loop = try EventLoop(index: 0)
    try loop.start()
    defer { loop.stop() }
    return try await body(loop)
}

/// An actor on a loop, so that a test can use objects of the loop's thread.
actor Resident {
    let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(on loop: EventLoop) {
        self.loop = loop
    }

    func run<Value: Sendable>(_ body: @Sendable (isolated Resident) async throws -> Value) async rethrows -> Value {
        try await body(self)
    }
}

/// A record of events in order, from any thread.
final class Log<Entry: Sendable>: Sendable {
    private let notes = Mutex<[Entry]>([])

    func note(_ entry: Entry) { notes.withLock { $0.append(entry) } }
    var entries: [Entry] { notes.withLock(\.self) }
}

/// Two connected non-blocking stream sockets; both are closed with the last reference.
final class SocketPair: Sendable {
    let near: FileDescriptor
    let far: FileDescriptor

    init() {
        var numbers: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // Two numbers are written into an array of two.
        precondition(unsafe socketpair(AF_UNIX, kind, 0, &numbers) == 0, "socketpair: errno \(errno)")
        near = FileDescriptor(owning: numbers[0])
        far = FileDescriptor(owning: numbers[1])
    }
}

/// A descriptor that becomes readable on request.
final class Counter: Sendable {
    let descriptor: FileDescriptor

    init() {
        let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        precondition(number >= 0, "eventfd: errno \(errno)")
        descriptor = FileDescriptor(owning: number)
    }

    func increment() {
        var one: UInt64 = 1
        // Eight bytes of a local.
        precondition(unsafe write(descriptor.number, &one, 8) == 8, "eventfd: errno \(errno)")
    }
}

/// Holds a loop's thread where a stopped process is held: at its return from the system call that reports an event.
final class Standstill: Sendable {
    private static let isHeld = Atomic(false)
    private static let isOver = Atomic(false)
    /// The loop's thread as identified by the C library and by the kernel.
    private let thread: (library: UInt, kernel: Int32)
    private let moment = Atomic<UInt64>(0)

    /// When the thread was stopped; 0 until then.
    var began: Instant { Instant(nanoseconds: moment.load(ordering: .acquiring)) }

    init(of loop: EventLoop) async {
        let thread = Log<(UInt, Int32)>()
        await loop.perform {
            // The runtime's threads, which start loops here, block signals, and the loop's thread inherits that.
            var signals = sigset_t()
            // Both get a local that outlives the call.
            unsafe sigaddset(&signals, SIGUSR2)
            unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            thread.note((UInt(pthread_self()), cscheduler_thread()))
        }
        self.thread = thread.entries[0]
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in
            Standstill.isHeld.store(true, ordering: .releasing)
            while !Standstill.isOver.load(ordering: .acquiring) { usleep(100) }
        }
        // A local that outlives the call.
        precondition(unsafe sigaction(SIGUSR2, &action, nil) == 0, "sigaction: errno \(errno)")
        Self.isHeld.store(false, ordering: .relaxed)
        Self.isOver.store(false, ordering: .relaxed)
    }

    /// Returns when the thread is held, with the event that `cause` produces. Call on a thread that may block.
    func begin(by cause: () -> Void) {
        var places = cscheduler_places()
        // The event wakes the thread, and the signal arrives before it runs, because its priority is lowered. A local
        // outlives both calls.
        precondition(unsafe cscheduler_subdue(thread.kernel, &places) == 0, "errno \(errno) from the scheduler")
        // Leaves the processor to the loop, which then waits for events.
        usleep(5000)
        cause()
        pthread_kill(pthread_t(thread.library), SIGUSR2)
        while !Self.isHeld.load(ordering: .acquiring) { usleep(100) }
        // Released before the loop's thread can start another one, which would inherit its affinity.
        unsafe cscheduler_release(thread.kernel, &places)
        moment.store(Instant.now.nanoseconds, ordering: .releasing)
    }

    func end() { Self.isOver.store(true, ordering: .releasing) }
}

/// Sends all of a short text.
func send(_ text: String, to descriptor: borrowing FileDescriptor) throws {
    let bytes = Array(text.utf8)
    // The kernel copies the bytes before the call returns.
    let attempt = try unsafe bytes.withUnsafeBytes { try unsafe descriptor.send($0) }
    guard case .done(bytes.count) = attempt else { preconditionFailure("a short text was not taken whole") }
}

/// Receives what is available: nil when a read would block, empty at the end of the stream.
func receive(from descriptor: borrowing FileDescriptor, atMost limit: Int = 1000) throws -> String? {
    var bytes = [UInt8](repeating: 0, count: limit)
    // The buffer outlives the call.
    let attempt = try unsafe bytes.withUnsafeMutableBytes { try unsafe descriptor.receive(into: $0) }
    guard case .done(let count) = attempt else { return nil }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

let milliseconds: UInt64 = 1_000_000

/// A generator that produces the same numbers in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
