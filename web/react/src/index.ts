export { AuthDebugPanel, type AuthDebugPanelProps } from "./auth-debug-panel.js";
export { BlockedNotice, type BlockedNoticeProps } from "./blocked-notice.js";
export { Protect, type ProtectProps, SignedIn, SignedOut, Unknown } from "./control.js";
export { DeviceList, type DeviceListProps } from "./device-list.js";
export { type UseAccount, type UseEntitlement, useAccount, useEntitlement } from "./entitlements.js";
export {
  isInvoluntary,
  type LogoutReceipt,
  type UseSession,
  type UseSessions,
  useLogoutReceipt,
  useServerStatus,
  useSession,
  useSessions,
  useSignIn,
  useSignOut,
  useSignUp,
  useUser,
} from "./hooks.js";
export { LogoutNotice, type LogoutNoticeProps } from "./logout-notice.js";
export { LogoutReasonBanner, type LogoutReasonBannerProps } from "./logout-reason-banner.js";
export { type MessageOverrides, type Messages, messagesWith, useMessages, type Words } from "./messages.js";
export { SessionProvider, type SessionProviderProps, useAuthState, useClient } from "./provider.js";
export { ReconnectingNotice, type ReconnectingNoticeProps } from "./reconnecting-notice.js";
export { RememberMeCheckbox, type RememberMeCheckboxProps } from "./remember-me-checkbox.js";
export { SignInForm, type SignInFormProps } from "./sign-in-form.js";
export { SignUpForm, type SignUpFormProps } from "./sign-up-form.js";
export { UserButton, type UserButtonProps } from "./user-button.js";
