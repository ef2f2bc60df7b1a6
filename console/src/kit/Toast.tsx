import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { IconButton } from "./Button";
import { messageOf } from "./ErrorNote";
import styles from "./Toast.module.css";

const manager = Toast.createToastManager();

/** Say in the corner that something was done. */
export function notify(text: string): void {
  manager.add({ description: text });
}

/** Say in the corner that something failed; it stays until it is closed. */
export function notifyError(error: Error): void {
  manager.add({ description: messageOf(error), type: "error", priority: "high", timeout: 0 });
}

/** The place of the notices. */
export function ToastProvider({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} timeout={6000}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className={styles.viewport}>
          <Toasts />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function Toasts() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className={styles.toast} swipeDirection={[]} aria-label="Notice">
      <Toast.Content className={styles.content}>
        <Toast.Description />
        <Toast.Close render={<IconButton label="Close this notice" size="small" />}>
          <X aria-hidden />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}
