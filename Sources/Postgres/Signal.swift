import Synchronization

/// A value that is set once, and one task that waits for it. Any thread may set it; only the first value counts.
final class Signal<Value: Sendable>: Sendable {
    private enum State {
        case none
        case awaited(CheckedContinuation<Value, Never>)
        case given(Value)
        case taken
    }

    private let state = Mutex(State.none)

    /// Resumes the waiting task, or lets a later wait return at once.
    func give(_ value: Value) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, Never>? in
            switch state {
            case .none: state = .given(value)
            case .awaited(let waiting):
                state = .taken
                return waiting
            case .given, .taken: break
            }
            return nil
        }
        waiting?.resume(returning: value)
    }

    /// Waits for the value. Call once.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let given = state.withLock { state -> Value? in
                switch state {
                case .none: state = .awaited(continuation)
                case .given(let value):
                    state = .taken
                    return value
                case .awaited, .taken: preconditionFailure("two tasks wait for one signal")
                }
                return nil
            }
            if let given { continuation.resume(returning: given) }
        }
    }
}
