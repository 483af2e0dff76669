import Glibc
import Platform
import Testing

struct ThreadTests {
    @Test func `work runs on a new thread`() async throws {
        let caller = UInt(pthread_self())
        let worker = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<UInt, any Error>) in
            do throws(Thread.NoThread) {
                try Thread.start { continuation.resume(returning: UInt(pthread_self())) }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        #expect(worker != caller)
    }
}
