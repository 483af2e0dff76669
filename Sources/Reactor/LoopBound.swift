/// A value that lives on one event loop, where it has to cross a border that only `Sendable` values cross: into a `@Sendable`
/// closure, a task, or an object that other threads use too.
///
/// Objects of a loop are plain classes. They are not `Sendable`, so the compiler keeps them on the loop, and they need neither a lock nor
/// an actor. This is the one way around the compiler, and its `value` is the one door: in debug builds it ends the process when it is
/// opened on another thread than the loop's. In release builds nothing is checked, and nothing but the value is stored.
///
/// The value may be released on another thread when the last reference to it goes there, so a `deinit` of its must not touch the loop.
public struct LoopBound<Value>: @unchecked Sendable {
    private let bound: Value
    #if DEBUG
        private let loop: EventLoop
    #endif

    /// A value that the loop has. Called on the loop's thread.
    @inline(__always)
    public init(_ value: Value, on loop: EventLoop) {
        loop.assertCurrent()
        bound = value
        #if DEBUG
            self.loop = loop
        #endif
    }

    /// A value that nobody else has, as the compiler checks, and that the loop has from now on. Called on any thread.
    @inline(__always)
    public init(handing value: sending Value, to loop: EventLoop) {
        bound = value
        #if DEBUG
            self.loop = loop
        #endif
    }

    /// The value. Called on the loop's thread.
    @inline(__always)
    public var value: Value {
        #if DEBUG
            loop.assertCurrent()
        #endif
        return bound
    }
}
