import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { IconButton } from "./Button";
import { messageOf } from "./ErrorNote";
import styles from "./Toast.module.css";
import { useOutOfTheWay } from "./useOutOfTheWay";

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
        <Notices />
      </Toast.Portal>
    </Toast.Provider>
  );
}

/** The notices; they never lie over what has the focus. */
function Notices() {
  const { toasts } = Toast.useToastManager();
  const viewport = useRef<HTMLDivElement>(null);
  const isAway = useOutOfTheWay(viewport, toasts.length);
  return (
    <Toast.Viewport ref={viewport} className={styles.viewport} data-away={isAway || undefined}>
      {toasts.map((toast) => (
        <Toast.Root
          key={toast.id}
          toast={toast}
          className={styles.toast}
          swipeDirection={[]}
          aria-label="Notice"
        >
          <Toast.Content className={styles.content}>
            <Toast.Description />
            <Toast.Close render={<IconButton label="Close this notice" size="small" />}>
              <X aria-hidden />
            </Toast.Close>
          </Toast.Content>
        </Toast.Root>
      ))}
    </Toast.Viewport>
  );
}
