public import Logging

/// Severity of a line. The raw value is the name in the configuration: `LogLevel(rawValue: "warning")`.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case debug, info, warning, error, critical

    /// The name in a log line: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    public var name: StaticString {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }

    /// The level for one of swift-log's seven levels: trace becomes debug, notice becomes info.
    public init(_ level: Logger.Level) {
        self =
            switch level {
            case .trace, .debug: .debug
            case .info, .notice: .info
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
    }

    /// The swift-log level of the same name.
    public var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }

    private var severity: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        case .critical: 4
        }
    }

    /// Orders by severity: `.debug` is the lowest.
    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.severity < right.severity
    }
}
