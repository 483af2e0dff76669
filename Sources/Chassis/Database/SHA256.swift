import CCrypto

/// The SHA-256 (FIPS 180-4) of some bytes: 32 bytes.
public func sha256(_ bytes: [UInt8]) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
        // It reads this many bytes and writes as many as a digest has; the pointers do not outlive the call.
        let written = unsafe bytes.withUnsafeBufferPointer {
            unsafe SHA256($0.baseAddress, $0.count, digest.baseAddress)
        }
        precondition(unsafe written != nil, "libcrypto failed to compute SHA-256")
        count = Int(SHA256_DIGEST_LENGTH)
    }
}
