/// What the statements of one batch take in memory while it is in flight: a value that grows statement by statement.
struct BatchSize: Equatable {
    /// While they leave, parameters stand in the caller's texts, in the buffer that libpq copies from, and in libpq's own,
    /// which doubles until they fit.
    static let copiesOfParameters = 4

    private(set) var parameters = 0
    /// Of the largest result: results are looked at one by one, and a read for which there is no room runs again, alone.
    private var result = 0
    /// Of the results of those that run alone.
    private var aloneResults = 0
    private var lookups = 0

    var bytes: Int { parameters * Self.copiesOfParameters + result + aloneResults }

    /// The same with one statement more.
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
            // Those that run as one have one result.
            size.lookups = min(lookups + 1, Connection.groupLimit)
            size.result = max(self.result, result * size.lookups)
        } else {
            size.result = max(self.result, result)
        }
        return size
    }
}
