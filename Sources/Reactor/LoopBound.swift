/// Carries a value that belongs to one event loop into a place that takes `Sendable` values only: a `@Sendable` closure, a task,
/// or an object that other threads use too.
///
/// Objects of a loop are plain classes. They are not `Sendable`, so the compiler keeps them on their loop, and they need neither a
/// lock nor an actor. This type is the only exception. In debug builds, `value` ends the process when it is read on another
/// thread than the loop's. In release builds nothing is checked, and only the value is stored.
///
/// The last reference may be released on another thread, so the value's `deinit` must not use the loop.
public struct LoopBound<Value>: @unchecked Sendable {
    private let bound: Value
    #if DEBUG
        private let loop: EventLoop
    #endif

    /// A value that belongs to the loop already. Called on the loop's thread.
    @inline(__always)
    public init(_ value: Value, on loop: EventLoop) {
        loop.assertCurrent()
        bound = value
        #if DEBUG
            self.loop = loop
        #endif
    }

    /// A value without other references, which the compiler checks; from now on it belongs to the loop. Called on any thread.
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
