/// The memory that the statements of one batch take while it is in flight, summed statement by statement.
struct BatchSize: Equatable {
    /// While being sent, parameters exist in the callers' values, in the buffer that libpq copies from, and in libpq's
    /// own buffer, which doubles until they fit.
    static let copiesOfParameters = 4

    private(set) var parameters = 0
    /// Size of the largest result: results are processed one by one, and a read for which there is no room runs again,
    /// alone.
    private var result = 0
    /// Sum of the results of statements that run alone.
    private var aloneResults = 0
    private var lookups = 0

    var bytes: Int { parameters * Self.copiesOfParameters + result + aloneResults }

    /// Adds one statement.
    @inline(__always)
    func adding(_ pending: PoolState.Request) -> BatchSize {
        adding(
            parameters: pending.parameterByteCount, result: pending.resultByteLimit, isLookup: pending.isLookup,
            isAlone: pending.isAlone)
    }

    @inline(__always)
    func adding(parameters: Int, result: Int, isLookup: Bool = false, isAlone: Bool = false) -> BatchSize {
        var size = self
        size.parameters += parameters
        if isAlone {
            size.aloneResults += result
        } else if isLookup {
            // Merged lookups have one result.
            size.lookups = min(lookups + 1, Connection.groupLimit)
            size.result = max(self.result, result * size.lookups)
        } else {
            size.result = max(self.result, result)
        }
        return size
    }
}
